"""Anyone's table, read strictly: fields are counted, ids stay as written, nothing is guessed.

Arrow's reader counts the fields of every line and takes types as it is told. What it must be told,
separator and encoding, is found in the first line and the first bytes where the caller says
nothing.
"""

import codecs
import io
import logging
from collections.abc import Sequence
from csv import reader as fields_in
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from celsa_lib.data.checks import open_binary, reading, require_columns
from celsa_lib.data.quotes import check_quotes
from celsa_lib.errors import ConfigError, DataError

log = logging.getLogger(__name__)

TEXT, PARQUET = (".csv", ".tsv", ".tab", ".txt", ".dat"), (".parquet", ".pq")
SEPARATORS = (",", ";", "\t", "|")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
WESTERN = "cp1252"  # what a file is that is no UTF-8: how Windows has written Western Europe's
FIRST_BYTES = 2**20  # within which the first line of a file must end


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out; separator and encoding are found where they are None.

    header: whether its first line names the columns; else they are called "1", "2", …
    """

    separator: str | None = None
    encoding: str | None = None
    header: bool = True

    def __post_init__(self):
        separator = self.separator
        if separator is not None and (not isinstance(separator, str) or len(separator) != 1):
            raise ConfigError(f"separator is {self.separator!r}; give one character, as ';'")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except (LookupError, TypeError) as error:
                raise ConfigError(
                    f"unknown encoding {self.encoding!r}; utf-8, utf-16 and cp1252 are usual"
                ) from error


def read_table(
    path: Path,
    columns: Sequence[str],
    as_text: Sequence[str] = (),
    layout: Layout | None = None,
    line_breaks: bool = True,
) -> pd.DataFrame:
    """`columns` of a text file or of Parquet, gzipped or not, recognised by its name.

    Of a text file, those in `as_text` stay as they are written: 007, 1E2, NA; "" where none is.
    Quoted values may hold `line_breaks`. Raises DataError for another name, a missing or repeated
    column, a line with more or fewer fields than the first, a quotation mark that none closes, or
    a damaged file.
    """
    is_parquet = _suffix(path) in PARQUET
    with reading(path):
        if is_parquet:
            return _read_parquet(path, columns)
        return _read_text(path, columns, as_text, layout or Layout(), line_breaks)


def columns_of(path: Path, wanted: Sequence[str], layout: Layout) -> list[str]:
    """The names of a file's columns; `wanted` are among them. Raises as `read_table` does."""
    is_parquet = _suffix(path) in PARQUET
    with reading(path):
        if is_parquet:
            return parquet.read_schema(path).names
        encoding = layout.encoding or _encoding_of(path)
        return _first_line(path, encoding, wanted, layout).names


def layout_beside(path: Path, column: str, other: Layout) -> Layout:
    """How a file that goes with one of layout `other` is laid out; `column` is in its header.

    What it says itself goes first, then what `other` says. Raises DataError without the column.
    """
    if _suffix(path) in PARQUET:
        return other
    names = []
    with reading(path):
        found = _encoding_of(path)
        encoding = other.encoding if found == WESTERN else found
        for separator in dict.fromkeys((None, other.separator)):
            names = columns_of(path, [column], layout := Layout(separator, encoding))
            if column in names:
                return layout
    raise DataError(
        f"{path} has no column {column!r}; its columns are {', '.join(map(repr, names))}. Its "
        "first line must name them, and call the ids of items as the interactions do"
    )


def as_frame(table, what: str) -> pd.DataFrame:
    """A table of pandas, Polars or Arrow as one of pandas. Raises DataError for anything else."""
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "__arrow_c_stream__"):
        return pa.table(table).to_pandas()
    raise DataError(
        f"{what} is a {type(table).__name__}; give a DataFrame of pandas or Polars, an Arrow "
        "table, or a path (a dictionary: pd.DataFrame(it); a LazyFrame: it.collect())"
    )


def require_once(present: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """Raise DataError unless `present` has each of the `wanted` columns, and has it once."""
    require_columns(present, wanted, where)
    for column in wanted:
        if list(map(str, present)).count(column) > 1:
            raise DataError(f"{where} has the column {column!r} twice; rename one of them")


def _read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    require_once(parquet.read_schema(path).names, columns, str(path))
    return parquet.read_table(path, columns=list(columns)).to_pandas()


def _read_text(
    path: Path,
    columns: Sequence[str],
    as_text: Sequence[str],
    layout: Layout,
    line_breaks: bool,
) -> pd.DataFrame:
    encoding = layout.encoding or _encoding_of(path)
    if encoding == WESTERN and not layout.encoding:
        log.warning("%s is no UTF-8; read as %s, unless encoding says otherwise", path, WESTERN)
    first = _first_line(path, encoding, columns, layout)
    _require_in_text(path, first, columns, layout.header)
    check_quotes(path, encoding, first.separator, line_breaks)
    frame = _parsed(path, first, columns, as_text, encoding).to_pandas()
    for column in as_text:
        frame[column] = _stripped(frame[column])
    return frame


def _parsed(
    path: Path, first: "_FirstLine", columns: Sequence[str], as_text: Sequence[str], encoding: str
) -> pa.Table:
    """The columns of a text file. Raises DataError at a line with more or fewer fields."""
    text = pa.dictionary(pa.int32(), pa.string())  # ids are repeated: each is kept once
    uneven = []

    def note(row: csv.InvalidRow) -> str:
        uneven.append(row)
        return "error"

    names, separator = first.names, first.separator
    how = csv.ReadOptions(
        use_threads=False, encoding=encoding, column_names=names, skip_rows=first.n_skipped
    )
    parsing = csv.ParseOptions(
        delimiter=separator, newlines_in_values=True, invalid_row_handler=note
    )
    converting = csv.ConvertOptions(
        include_columns=list(columns), column_types=dict.fromkeys(as_text, text)
    )
    try:
        with open_binary(path) as stream:
            return csv.read_csv(stream, how, parsing, converting)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in {encoding}; name its encoding") from error
    except pa.ArrowInvalid as error:
        if not uneven:
            raise
        row = uneven[0]
        raise DataError(
            f"{path}, line {_line_of(path, encoding, row.text)}: {row.actual_columns} fields "
            f"separated by {separator!r}, the first line has {len(names)}; quote values that hold "
            "the separator, or drop the line"
        ) from error


def _stripped(ids: pd.Series) -> pd.Series:
    """Categories without blanks around them."""
    known = ids.cat.categories
    bare = known.str.strip()
    return ids if bare.equals(known) else pd.Series(bare.take(ids.cat.codes), name=ids.name)


def _suffix(path: Path) -> str:
    """A file's format by its name. Raises DataError for one that is not read."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in (*TEXT, *PARQUET):
        raise DataError(f"{path}: cannot tell its format; call it .csv, .tsv or .parquet")
    return suffix


def _encoding_of(path: Path) -> str:
    """What the first bytes of a file say; else UTF-8, or WESTERN where the file is no UTF-8."""
    with open_binary(path) as stream:
        first = stream.read(64)
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if first.startswith(mark):
            return encoding
    if b"\0" in first:  # the other half of each Latin letter
        return "utf-16-le" if first[1:2] == b"\0" else "utf-16-be"
    return "utf-8" if _is_utf8(path) else WESTERN


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_binary(path) as stream:
            while block := stream.read(FIRST_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class _FirstLine:
    """fields of a file's first line that is not blank; names of the columns, n_skipped lines
    before the first of data.
    """

    fields: list[str]
    names: list[str]
    separator: str
    n_skipped: int


def _first_line(path: Path, encoding: str, columns: Sequence[str], layout: Layout) -> _FirstLine:
    """The first line, by the separator that gives the wanted columns, or else the most fields."""
    with open_binary(path) as stream:
        lines = stream.read(FIRST_BYTES).decode(encoding, errors="replace").splitlines()
        if len(lines) < 2 and stream.read(1):
            raise DataError(f"{path} has a first line of {FIRST_BYTES:,} bytes and more: no table")
    blank = next((n for n, line in enumerate(lines) if line.strip()), None)
    if blank is None:
        raise DataError(f"{path} is empty; check the path")
    if layout.header and not any(line.strip() for line in lines[blank + 1 :]):
        raise DataError(f"{path} has no line after the one that names its columns")
    choices = (layout.separator,) if layout.separator else SEPARATORS
    split = {s: [f.strip() for f in next(fields_in([lines[blank]], delimiter=s))] for s in choices}
    best = max(choices, key=lambda s: (set(columns) <= set(split[s]), len(split[s])))
    if layout.header:
        return _FirstLine(split[best], split[best], best, blank + 1)
    numbered = [str(n) for n in range(1, len(split[best]) + 1)]
    return _FirstLine(split[best], numbered, best, blank)


def _require_in_text(path: Path, first: _FirstLine, columns: Sequence[str], header: bool) -> None:
    """Raise DataError unless the columns are there once; says what a file without names needs."""
    data = any(field.replace(".", "", 1).isdecimal() for field in first.fields)
    if header and data and not set(columns) <= set(first.names):
        raise DataError(
            f"{path} begins with {first.separator.join(first.fields)!r}, which names no columns: "
            'say that there is no header, and call the columns "1", "2", …'
        )
    require_once(first.names, columns, f"{path}, separated by {first.separator!r},")


def _line_of(path: Path, encoding: str, text: str) -> int:
    """The number of the first line that begins the row `text`."""
    wanted = text.splitlines()[0] if text else ""
    with open_binary(path) as stream, io.TextIOWrapper(stream, encoding, errors="replace") as lines:
        return next((n for n, line in enumerate(lines, 1) if line.rstrip("\r\n") == wanted), 0)
