"""Folders of Parquet files as one table: their columns compared, then a batch of rows at a time."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as datasets

from celsa_lib.data.checks import reading
from celsa_lib.data.tables import PARQUET, require_once
from celsa_lib.errors import DataError

STREAMED_ROWS = 2**20


@dataclass(frozen=True)
class ParquetRows:
    """Rows of a file from `first` on, counted from 0; columns by name, of one type in all files."""

    file: Path
    first: int
    columns: dict[str, pa.Array]


def is_parquet(path: Path) -> bool:
    """Whether a file is called as those of Parquet are."""
    return Path(path.name.lower().removesuffix(".gz")).suffix in PARQUET


def parquet_files(folder: Path) -> list[Path]:
    """Files that the folder has at any depth, but hidden ones. Raises DataError if it has none."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in PARQUET]
    shown = [f for f in found if not any(p[0] in "._" for p in f.relative_to(folder).parts)]
    if not shown:
        raise DataError(f"{folder} is a folder without Parquet files; name a file, or their folder")
    return sorted(shown)


def record_batches(
    folder: Path, files: list[Path], columns: list[str], measured: Collection[str | None]
) -> Iterator[ParquetRows]:
    """Rows of all files, those of a partition (year=2024/…) with its value. measured: columns that
    may be whole in one file and not in another.

    Raises DataError, naming the file, for a column that is missing or twice, or that is of another
    kind than in the first file, and for a damaged file.
    """
    parts, partitions = [], []
    for file in files:
        with reading(file):
            source = datasets.dataset(
                str(file), format="parquet", partitioning="hive", partition_base_dir=str(folder)
            )
            (part,) = source.get_fragments()
            own = part.physical_schema
            partitions = [name for name in source.schema.names if name not in own.names]
            require_once([*own.names, *partitions], columns, str(file))
            parts.append((file, part, source.schema))
    types = {}
    for name in columns:
        found = [(file, schema.field(name).type) for file, _, schema in parts]
        types[name] = _type_in_all(name, found, name in measured)
    for file, part, schema in parts:
        first = 0
        with reading(file):
            for rows in part.to_batches(
                schema=schema, columns=columns, batch_size=STREAMED_ROWS, batch_readahead=1
            ):
                yield ParquetRows(file, first, {n: _cast(rows[n], types[n]) for n in columns})
                first += len(rows)


def _type_in_all(column: str, found: list[tuple[Path, pa.DataType]], measured: bool) -> pa.DataType:
    """The type that holds what all files have. Raises DataError where they differ in kind."""
    kinds: dict[str, Path] = {}
    for file, of in found:
        if (kind := _kind(of)) != "nothing":
            kinds.setdefault(kind, file)
    if measured and kinds.keys() == {"whole numbers", "numbers"}:
        return pa.float64()
    if len(kinds) > 1:
        (one, here), (other, there) = list(kinds.items())[:2]
        raise DataError(
            f"column {column!r} holds {one} in {here} and {other} in {there}; write it alike in "
            "all files"
        )
    whole = {"whole numbers": pa.int64(), "numbers": pa.float64(), "text": pa.large_string()}
    return whole.get(next(iter(kinds), ""), _plain(found[0][1]))


def _kind(of: pa.DataType) -> str:
    """What a column holds, in words."""
    of = _plain(of)
    if pa.types.is_integer(of) and of != pa.uint64():  # which 64 bits with a sign do not hold
        return "whole numbers"
    if pa.types.is_floating(of):
        return "numbers"
    if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of):
        return "text"
    return "nothing" if pa.types.is_null(of) else str(of)


def _plain(of: pa.DataType) -> pa.DataType:
    return of.value_type if pa.types.is_dictionary(of) else of


def _cast(column: pa.Array, to: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if column.type == to else pc.cast(column, to)
