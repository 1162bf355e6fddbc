"""The checksum of a dataset, fetched first: python -m celsa_lib.workflow.fetch DATASET TARGET."""

import sys
from pathlib import Path

from celsa_lib.data import files_checksum
from celsa_lib.errors import CelsaError, DatasetNotFoundError, DownloadError
from celsa_lib.files import write_whole


def fetched_checksum(dataset: str) -> str:
    """sha256 of its files, "" for what is generated or cannot be had here: pages then say so."""
    try:
        return files_checksum(dataset, fetch=True)
    except (DatasetNotFoundError, DownloadError):
        return ""


def main(arguments: list[str]) -> int:
    """Exit code: 1 with one line on stderr for a CelsaError."""
    dataset, target = arguments
    try:
        text = fetched_checksum(dataset) + "\n"
        write_whole(Path(target), lambda file: file.write(text.encode()))
    except CelsaError as error:
        sys.stderr.write(f"celsa: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
