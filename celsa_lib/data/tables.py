"""Anyone's table, read strictly: fields are counted, ids stay as written, nothing is guessed.

Arrow's reader counts the fields of every line and takes types as it is told. What it must be told,
separator and encoding, is found in the first line and the first bytes where the caller says
nothing.
"""

import io
import logging
import re
from collections.abc import Sequence
from csv import Error as CsvError
from csv import field_size_limit
from csv import reader as fields_in
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from celsa_lib.data.checks import open_binary, reading, require_columns
from celsa_lib.data.encodings import WESTERN, encoding_of
from celsa_lib.data.lines import check_lines
from celsa_lib.errors import SHOWN, ConfigError, DataError

log = logging.getLogger(__name__)

TEXT, PARQUET = (".csv", ".tsv", ".tab", ".txt", ".dat"), (".parquet", ".pq")
HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # a lone surrogate
SEPARATORS = (",", ";", "\t", "|")
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
            raise ConfigError(
                f"separator is {self.separator!r}; give one character, as ';', and write "
                "a file anew that has more between its fields"
            )
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
        encoding = encoding_of(path, layout.encoding)
        return _first_line(path, encoding, wanted, layout).names


def layout_beside(path: Path, column: str, other: Layout) -> Layout:
    """How a file that goes with one of layout `other` is laid out; `column` is in its header.

    What it says itself goes first, then what `other` says. Raises DataError without the column.
    """
    if _suffix(path) in PARQUET:
        return other
    names = []
    with reading(path):
        found = encoding_of(path)
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
    """A table of pandas, Polars or Arrow as one of pandas.

    Raises DataError for anything else, and for half a character, which no file can hold.
    """
    if isinstance(table, pd.DataFrame):
        plain = [pd.api.types.is_object_dtype(dtype) for dtype in table.dtypes]
        for column in table.columns[plain]:
            for row, value in enumerate(np.asarray(table[column]).ravel()):
                if isinstance(value, str) and HALF_CHARACTER.search(value):
                    raise DataError(
                        f"{what} has half a character in column {column!r}, row {row}: "
                        f"{value[:SHOWN]!a}; read it again, in the encoding of its file"
                    )
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
    encoding = encoding_of(path, layout.encoding)
    if encoding == WESTERN and not layout.encoding:
        log.warning("%s is no UTF-8; read as %s, unless encoding says otherwise", path, WESTERN)
    first = _first_line(path, encoding, columns, layout)
    _require_in_text(path, first, columns, layout.header)
    check_lines(path, encoding, first.separator, line_breaks)
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
    """Categories without blanks around them, or quotation marks that a blank hid from Arrow."""
    known = ids.cat.categories
    if known.str.strip().equals(known):
        return ids
    bare = known.str.replace(r'^\s+"([^"]*)"\s*$', r"\1", regex=True).str.strip()
    return pd.Series(bare.take(ids.cat.codes), name=ids.name)


def _suffix(path: Path) -> str:
    """A file's format by its name. Raises DataError for one that is not read."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in (*TEXT, *PARQUET):
        raise DataError(f"{path}: cannot tell its format; call it .csv, .tsv or .parquet")
    return suffix


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
    fields, separator = _split(path, lines[blank], columns, layout)
    if layout.header:
        return _FirstLine(fields, fields, separator, blank + 1)
    numbered = [str(n) for n in range(1, len(fields) + 1)]
    return _FirstLine(fields, numbered, separator, blank)


def _split(path: Path, line: str, columns: Sequence[str], layout: Layout) -> tuple[list[str], str]:
    """Fields of the first line and their separator. Raises DataError where there is none."""
    choices = (layout.separator,) if layout.separator else SEPARATORS
    split = {s: _fields(line, s) for s in choices}
    best = max(choices, key=lambda s: (set(columns) <= set(split[s]), len(split[s])))
    if not split[best]:
        raise DataError(
            f"{path} has more than {field_size_limit():,} characters without one of "
            f"{', '.join(map(repr, choices))} in its first line: no table; check the separator"
        )
    if len(split[best]) == 1 and "::" in line:
        raise DataError(
            f"{path} is separated by '::'; write it anew with one character between fields, as '|'"
        )
    return split[best], best


def _fields(line: str, separator: str) -> list[str]:
    """Fields of a line without blanks around them; none where one is too long for a name."""
    try:
        fields = next(fields_in([line], delimiter=separator, skipinitialspace=True))
    except CsvError:  # of a wide table, what other separators leave in one piece
        return []
    return [field.strip() for field in fields]


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
