"""`python -m celsa_lib.cli` is the command `celsa`."""

from celsa_lib.cli import app

app()
