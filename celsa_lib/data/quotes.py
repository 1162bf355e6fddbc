"""Quotation marks that swallow lines: a parser takes all up to the next one for a single value."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

from celsa_lib.data.checks import open_binary
from celsa_lib.errors import DataError

BLOCK = 2**20  # bytes


def check_quotes(path: Path, encoding: str, separator: str, line_breaks: bool) -> None:
    """Raise DataError at the first line that opens a quoted value and does not close it.

    With `line_breaks` a later line may, if a separator or the end of the line follows.
    """
    # Most files have no quotation mark, and bytes are searched far faster than lines.
    if not any(b'"' in block for block in _blocks(path)):
        return
    pair, other = r'(?:[^"]|"")*+', f"[^{re.escape(separator)}]*+"
    field = f'(?:"{pair}"{other}|(?!"){other})'
    opens = re.compile(f'(?:{field}{re.escape(separator)})*+"{pair}')
    closes = re.compile(f'{pair}"(?= *(?:{re.escape(separator)}|$))')
    opened = 0  # the line of the quotation mark that waits for another
    with open_binary(path) as stream, io.TextIOWrapper(stream, encoding, errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if '"' not in line:
                continue
            rest = line.rstrip("\n")
            if opened:
                if re.fullmatch(pair, rest):
                    continue
                closed = closes.match(rest)
                if not closed:
                    raise _unclosed(path, opened)
                rest, opened = rest[closed.end() :], 0
            if opens.fullmatch(rest):
                opened = number
                if not line_breaks:
                    break
    if opened:
        raise _unclosed(path, opened)


def _blocks(path: Path) -> Iterator[bytes]:
    with open_binary(path) as stream:
        while block := stream.read(BLOCK):
            yield block


def _unclosed(path: Path, number: int) -> DataError:
    return DataError(
        f"{path}, line {number}: a quotation mark opens a value and none closes it before the line "
        'ends; close it, or take it out (a mark within a value is doubled: "12"" record")'
    )
