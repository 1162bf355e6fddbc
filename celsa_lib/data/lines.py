"""Lines that a parser would take for others: quotation marks that swallow them, NUL bytes."""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from celsa_lib.data.checks import open_binary
from celsa_lib.data.encodings import blocks
from celsa_lib.errors import DataError


def check_lines(path: Path, encoding: str, separator: str, line_breaks: bool) -> None:
    """Raise DataError at the first line that opens a quoted value and does not close it, or that
    holds a NUL. With `line_breaks` a later line may close it, before a separator or its own end.
    """
    # Most files have neither mark, and bytes are searched far faster than lines.
    if not any(b'"' in block or b"\0" in block for block in blocks(path)):
        return
    with open_binary(path) as stream, io.TextIOWrapper(stream, encoding, errors="replace") as lines:
        opened = _opened(_quoted(path, lines), re.escape(separator), line_breaks)
    if opened:
        raise DataError(
            f"{path}, line {opened}: a quotation mark opens a value and none closes it before the "
            'line ends; close it, or take it out (a mark within a value is doubled: "12"" record")'
        )


def _quoted(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines with a quotation mark, and their numbers. Raises DataError at a NUL."""
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise DataError(f"{path}, line {number} holds a NUL, so it is no text; take it out")
        if '"' in line:
            yield number, line.rstrip("\n")


def _opened(lines: Iterable[tuple[int, str]], separator: str, line_breaks: bool) -> int:
    """The line whose quotation mark is not closed as it should be; 0 where there is none."""
    pair, other = r'(?:[^"]|"")*+', f"[^{separator}]*+"
    opens = re.compile(f'(?:(?:"{pair}"{other}|(?!"){other}){separator})*+"{pair}')
    closes = re.compile(f'{pair}"(?= *(?:{separator}|$))')
    opened = 0
    for number, line in lines:
        if opened:
            if re.fullmatch(pair, line):
                continue
            closed = closes.match(line)
            if not closed:
                return opened
            line, opened = line[closed.end() :], 0
        if opens.fullmatch(line):
            opened = number
            if not line_breaks:
                return opened
    return opened
