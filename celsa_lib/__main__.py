"""The command `celsa`, also as `python -m celsa_lib`."""

import sys


def main() -> None:
    """Run the command; its modules are imported inside, where Ctrl-C may come as well."""
    try:
        from celsa_lib.cli import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("celsa: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
