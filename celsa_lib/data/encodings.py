"""What the bytes of a file say: whether they are text, and in which encoding."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from celsa_lib.data.checks import open_binary
from celsa_lib.errors import DataError

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
WESTERN = "cp1252"  # what a file is that is no UTF-8: how Windows has written Western Europe's
WIDE = ("utf-16", "utf-32")  # how the names of encodings begin that write letters with NUL bytes
OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip; unpack it, or let its name end in .gz",
    b"PK\x03\x04": "a zip or a workbook; unpack it, or save its table as CSV",
    b"PAR1": "Parquet; let its name end in .parquet",
}
READ_BYTES = 2**20  # bytes


def encoding_of(path: Path, given: str | None = None) -> str:
    """The encoding that is `given`, or what the bytes say: UTF-8, UTF-16, else WESTERN.

    Raises DataError for a file that is no text, or not in the wide encoding that is given.
    """
    with open_binary(path) as stream:
        first = stream.read(1024)
    for mark, what in OTHER_FORMATS.items():
        if first.startswith(mark):
            raise DataError(f"{path} is {what}")
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if first.startswith(mark)), None)
    if given is None:
        return marked or _unmarked(path, first)
    name = codecs.lookup(given).name
    if first and name.startswith(WIDE) and marked != "utf-16" and b"\0" not in first:
        raise DataError(f"{path} is no text in {given}; leave the encoding out, and it is found")
    # A mark that stays would become part of the first column's name.
    return marked if marked and marked.startswith(name[:6]) else given


def blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked. Raises DataError where they are too many for its size."""
    with open_binary(path) as stream:
        while block := _next(stream, path):
            yield block


def _next(stream, path: Path) -> bytes:
    try:
        return stream.read(READ_BYTES)
    except ValueError as error:  # from `check_unpacked` alone: damage raises other kinds
        raise DataError(
            f"{path} holds far more than its size allows: {error}; where it is meant to, unpack it "
            "and pass what it holds"
        ) from error


def _unmarked(path: Path, first: bytes) -> str:
    even, odd = first[::2].count(0), first[1::2].count(0)
    if bool(even) != bool(odd) and 16 * max(even, odd) >= len(first):  # the other half of letters
        return "utf-16-le" if odd else "utf-16-be"
    return "utf-8" if _is_utf8(path) else WESTERN


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in blocks(path):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
