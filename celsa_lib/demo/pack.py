"""Arrays and text as JSON that a page can hold."""

import json
from base64 import b64encode

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.retrieval import PackedRows


def packed(numbers: np.ndarray) -> dict:
    """An array as {type, data}: base64 of its little-endian bytes."""
    numbers = np.ascontiguousarray(numbers)
    little = numbers.astype(numbers.dtype.newbyteorder("<"))
    return {"type": numbers.dtype.name, "data": b64encode(little.tobytes()).decode()}


def packed_rows(matrix: csr_matrix) -> dict:
    """Rows of `matrix` as CSR: float32 values, columns in as few bytes as hold them.

    A matrix without zeros has its values alone.
    """
    matrix = csr_matrix(matrix, dtype=np.float32, copy=True)
    matrix.sort_indices()
    rows, width = matrix.shape
    found = {"rows": rows, "width": width, "values": packed(matrix.data)}
    if matrix.nnz == rows * width:
        return found
    columns = matrix.indices.astype(np.min_scalar_type(width - 1))
    return found | {"columns": packed(columns), "starts": packed(matrix.indptr.astype(np.uint32))}


def packed_words(rows: PackedRows) -> dict:
    """Packed rows as they lie in their file, with what it takes to read them."""
    layout = rows.layout
    head = {
        "rows": rows.shape[0],
        "width": rows.shape[1],
        "headBits": layout.head_bits.tolist(),
        "remainders": layout.remainders.tolist(),
        "indexBits": layout.index_bits,
    }
    head |= {name: getattr(layout, name) for name in ("shortest", "bits", "middle", "coding")}
    tables = {name: packed(getattr(layout, name)) for name in ("scales", "owns", "inputs")}
    return head | tables | {"words": packed(layout.words.view(np.uint8))}


def as_json(values) -> str:
    """JSON for inside a <script>: ASCII, and no "<" that could end or open an element."""
    return json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
