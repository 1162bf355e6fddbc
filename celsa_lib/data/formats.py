"""Tables on disk: columns that are wanted, and which file, line and value is at fault otherwise."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.data.checks import check_range, open_binary, reading, require_columns
from celsa_lib.data.tables import FIRST_BYTES
from celsa_lib.errors import DataError

CHUNK_ROWS = 1_000_000
YEARS = -5_000, 9_999  # what a year can be
Place = Callable[[int], str]  # where the row at a position stands, in words


@dataclass(frozen=True)
class HighRatings:
    """Interactions whose rating was high enough: ids (n_rows,), metadata by item id, the files."""

    users: np.ndarray
    items: np.ndarray
    metadata: pd.DataFrame
    files: tuple[Path, ...]


def require_header(path: Path, columns: Sequence[str], layout: dict) -> None:
    """Raise DataError unless a text file has `columns`; `layout` goes to pandas."""
    with open_binary(path) as stream:
        first = stream.readline(FIRST_BYTES)
    if len(first) == FIRST_BYTES:
        raise DataError(f"{path} has a first line of {FIRST_BYTES:,} bytes and more: no table")
    require_columns(pd.read_csv(path, nrows=0, **layout).columns, columns, str(path))


def numbers(values: pd.Series, place: Place) -> np.ndarray:
    """A column as float64. Raises DataError at the first value that is no finite number."""
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(found)
    if bad.any():
        first = int(bad.argmax())
        raise DataError(
            f"{place(first)}, column {values.name!r}: {values.iloc[first]!r} is not a number; "
            "correct or drop the row"
        )
    return found


def high_ratings(
    path: Path, columns: tuple[str, str, str], bounds, min_rating: float, **layout
) -> tuple[np.ndarray, np.ndarray]:
    """Users and items (int32) of the rows of a text file with rating ≥ `min_rating`.

    `columns` are (user, item, rating), `layout` goes to pandas. Raises DataError on a missing
    column, a value that is no number, or a rating out of `bounds`.
    """
    user, item, rating = columns
    dtype = {user: np.int32, item: np.int32, rating: np.float32}
    kept = []
    with reading(path), np.errstate(invalid="ignore"):  # pandas tries, checks, and raises
        require_header(path, columns, layout)
        try:
            for chunk, place in _chunks(path, columns, layout, dtype=dtype):
                ratings = chunk[rating].to_numpy()
                check_range(ratings, bounds, place)
                kept.append(chunk.loc[ratings >= min_rating, [user, item]])
        except (pd.errors.ParserError, UnicodeDecodeError, DataError):
            raise
        except (ValueError, OverflowError):
            _name_bad_value(path, columns, layout)
            raise
    high = pd.concat(kept)
    return high[user].to_numpy(), high[item].to_numpy()


def _name_bad_value(path: Path, columns: Sequence[str], layout: dict) -> None:
    """Raise DataError at the first value that is no number; reads the file again, as text."""
    for chunk, place in _chunks(path, columns, layout, dtype=str, keep_default_na=False):
        for column in columns:
            numbers(chunk[column], place)


def _chunks(
    path: Path, columns: Sequence[str], layout: dict, **options
) -> Iterator[tuple[pd.DataFrame, Place]]:
    """CHUNK_ROWS rows at a time, with the place of each in the file."""
    first_line = 1 if "names" in layout else 2
    with pd.read_csv(
        path, usecols=list(columns), chunksize=CHUNK_ROWS, **layout, **options
    ) as chunks:
        for chunk in chunks:
            start = chunk.index.start + first_line
            yield chunk, lambda row, start=start: f"{path}, line {start + row}"


def years_of(values: pd.Series) -> pd.Series:
    """Years of the common era as Int64, before it below 0; missing where no year is written."""
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    years = pd.Series(found, values.index, name=values.name)
    return years.where((years % 1 == 0) & years.between(*YEARS)).astype("Int64")


def fields_of(
    path: Path, separator: str, n_fields: int, encoding: str = "latin-1", header: int = 0
) -> list[tuple[str, ...]]:
    """Columns of a text file, gzipped or not; `header` lines and blank ones are left out.

    The first field is an item id, and the last may hold separators. Raises DataError.
    """
    rows = []
    with reading(path), io.TextIOWrapper(open_binary(path), encoding) as lines:
        for number, line in enumerate(lines, 1):
            row = line.rstrip("\n").split(separator, n_fields - 1)
            if number <= header or not line.strip():
                continue
            if len(row) < n_fields or not row[0].strip().isdecimal():
                raise DataError(
                    f"{path}, line {number}: expected {n_fields} fields separated by "
                    f"{separator!r}, the first a whole number; the file is truncated or corrupt, "
                    "fetch it again"
                )
            rows.append(row)
    return list(zip(*rows, strict=True)) or [()] * n_fields
