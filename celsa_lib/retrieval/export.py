"""Item rows for a vector database or a search engine, as files that these take as they are."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, DataError
from celsa_lib.files import write_whole

if TYPE_CHECKING:
    import pandas as pd


def split_signs(matrix: csr_matrix) -> csr_matrix:
    """Rows without negative values, rows × 2·width: latent l at 2·l if positive, else at 2·l + 1.

    The dot product of two such rows is that of the signed ones without the terms in which the
    signs differ, so it is never lower. Its best rows are candidates: rank them by the signed rows.
    """
    indices = 2 * matrix.indices.astype(np.int64) + (matrix.data < 0)
    shape = matrix.shape[0], 2 * matrix.shape[1]
    return csr_matrix((np.abs(matrix.data), indices, matrix.indptr), shape=shape)


def export_rows(
    matrix: csr_matrix,
    items: "pd.DataFrame",
    form: str,
    path: str | Path,
    input_scales: np.ndarray | None = None,
) -> Path:
    """Write rows `matrix` (items × width) to `path` as one of FORMATS, whole or not at all.

    `items` has `title`, and is indexed by item id in the order of the rows. Indices ascend in a
    row, stored zeros are left out. With `input_scales` w (items) a user x is asked for by x·W·U,
    U the unit rows; so every item has its scale beside its row. Raises ConfigError, DataError,
    StorageError.
    """
    check_format(form)
    if len(items) != matrix.shape[0] or "title" not in items:
        raise DataError(
            f"{matrix.shape[0]} rows, {len(items)} items with {', '.join(items.columns)}; pass one "
            "item per row, with `title`"
        )
    rows = csr_matrix(matrix, dtype=np.float32, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    titles = items["title"].fillna("").astype(str).tolist()
    columns = {"item_id": items.index.tolist(), "title": titles}
    if input_scales is not None:
        columns["input_scale"] = np.asarray(input_scales, dtype=np.float32)
    return write_whole(path, lambda file: FORMATS[form](file, rows, columns))


def check_format(form: str) -> None:
    """Raise ConfigError unless `form` is one of FORMATS."""
    if form not in FORMATS:
        raise ConfigError(f'there is no format "{form}"; choose one of {", ".join(FORMATS)}')


def _parquet(file: BinaryIO, rows: csr_matrix, columns: dict) -> None:
    """Columns item_id, title, input_scale (float32), indices (lists of int32), values (of float32).

    Without input scales there is no such column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    starts = pa.array(rows.indptr, pa.int32())
    columns = columns | {
        "title": pa.array(columns["title"], pa.string()),
        "indices": pa.ListArray.from_arrays(starts, pa.array(rows.indices, pa.int32())),
        "values": pa.ListArray.from_arrays(starts, pa.array(rows.data, pa.float32())),
    }
    pq.write_table(pa.table(columns, metadata={"width": str(rows.shape[1])}), file)


def _jsonl(file: BinaryIO, rows: csr_matrix, columns: dict) -> None:
    """A line per item: id, title, input_scale where there are any, indices, values."""
    names = ["id" if name == "item_id" else name for name in columns]
    plain = [column if isinstance(column, list) else column.tolist() for column in columns.values()]
    for row, about in enumerate(zip(*plain, strict=True)):
        stored = slice(rows.indptr[row], rows.indptr[row + 1])
        vector = {"indices": rows.indices[stored].tolist(), "values": rows.data[stored].tolist()}
        line = dict(zip(names, about, strict=True)) | vector
        file.write(json.dumps(line).encode() + b"\n")


def _csr(file: BinaryIO, rows: csr_matrix, columns: dict) -> None:
    """The matrix as `scipy.sparse.load_npz` reads it, which leaves aside the input scales that are
    in the archive too; no ids, no titles, no pickle.
    """
    arrays = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
    if "input_scale" in columns:
        arrays["input_scale"] = columns["input_scale"]
    np.savez_compressed(file, format=b"csr", shape=rows.shape, **arrays)


FORMATS = {"parquet": _parquet, "jsonl": _jsonl, "csr": _csr}
