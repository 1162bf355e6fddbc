"""The book's pages, from notebooks that have run: python -m celsa_lib.workflow.pages ROOT."""

import sys
from pathlib import Path

from celsa_lib.book.build import build_html
from celsa_lib.errors import CelsaError


def main(arguments: list[str]) -> int:
    """Exit code: 1 with the warnings on stderr where the book has any."""
    try:
        build_html(Path(arguments[0]))
    except CelsaError as error:
        sys.stderr.write(f"celsa: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
