"""`python -m celsa_lib.cli` is the command `celsa`."""

from celsa_lib.__main__ import main

main()
