"""Item rows to the words and the header of packed ones: what `PackedRows` reads."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.kernels.packed import FIXED, FULL, RICE, PackedLayout
from celsa_lib.kernels.packed_writing import write_rows
from celsa_lib.retrieval.quantise import (
    ScaleTable,
    best_scales,
    check_bits,
    coded_scales,
    codes_of,
    middle_of,
)

SHIFTS = range(-2, 3)  # tried: bits of a gap's remainder more than those of the mean gap


def packed_parts(
    matrix: csr_matrix,
    item_ids: np.ndarray,
    about: dict,
    input_scales: np.ndarray | None = None,
    anchored: bool = False,
    is_dense: bool = False,
    bits: int = 4,
) -> tuple[dict, dict[str, np.ndarray]]:
    """(header, arrays) of `PackedRows` for rows `matrix` (items × width, columns ascend).

    Values take `bits` (3, 4 or 8) each, indices as few as they can. anchored: every row holds a
    latent of its own, of the row's number. Raises ConfigError for other bits.
    """
    check_bits(bits)
    rows = _without(matrix, own=anchored)
    header = {"shape": matrix.shape, "about": about}
    header |= {"is_dense": is_dense, "bits": bits, "middle": middle_of(rows, bits)}
    lengths = np.diff(rows.indptr).astype(np.int64)
    header["longest"] = longest = int(lengths.max(initial=0))
    header["shortest"] = int(lengths.min(initial=longest))
    header |= _index_coding(rows)
    own = matrix.diagonal() if anchored else None
    coded = [(lengths - header["shortest"], None)]
    for numbers in (best_scales(rows, bits, header["middle"]), own, input_scales):
        coded.append(coded_scales(numbers, len(lengths), precise=bits == 8))
    header["tables"] = [table for _, table in coded[1:]]
    heads = np.stack([codes for codes, _ in coded], axis=1)
    header["head_bits"] = [int(most).bit_length() for most in heads.max(axis=0, initial=0)]
    words = _words_of(header, rows, heads)
    words.flags.writeable = False  # as those of a file are
    return header, {"words": words, "item_ids": item_ids}


def csr_bytes_per_item(matrix: csr_matrix, input_scales: np.ndarray | None = None) -> float:
    """Bytes per item of the same rows as they are in memory: float32 values, int32 indices.

    Offsets (int32) are counted, and float32 input scales.
    """
    n_items = matrix.shape[0]
    numbers = 2 * matrix.nnz + n_items + 1 + (0 if input_scales is None else n_items)
    return 4 * numbers / max(1, n_items)


def _without(matrix: csr_matrix, own: bool) -> csr_matrix:
    """A copy without zeros, and without each row's own latent if `own`."""
    rows = matrix.copy()
    if own:
        numbers = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        rows.data[numbers == rows.indices] = 0
    rows.eliminate_zeros()
    return rows


def _index_coding(rows: csr_matrix) -> dict:
    """How the indices of `rows` take the fewest bits: coding, index_bits, shift."""
    n_rows, width = rows.shape
    if rows.nnz == n_rows * width:
        return {"coding": FULL, "index_bits": 0, "shift": 0}
    index_bits = (width - 1).bit_length()
    sizes = {shift: int(_gap_sizes(rows, shift).sum()) for shift in SHIFTS}
    shift = min(sizes, key=sizes.__getitem__)
    coding = RICE if sizes[shift] < index_bits * rows.nnz else FIXED
    return {"coding": coding, "index_bits": index_bits, "shift": shift}


def _gaps(rows: csr_matrix) -> np.ndarray:
    """Latents left out before each value, from the one before it in its row."""
    before = np.concatenate(([-1], rows.indices)).astype(np.int64)[: rows.nnz]
    before[rows.indptr[:-1][np.diff(rows.indptr) > 0]] = -1
    return rows.indices - before - 1


def _remainders(width: int, longest: int, shift: int) -> np.ndarray:
    """Bits of a gap's remainder by the length of its row: those of the mean gap, and `shift`."""
    means = (width // max(1, length) for length in range(longest + 1))
    return np.array([max(0, mean.bit_length() - 1 + shift) for mean in means])


def _gap_sizes(rows: csr_matrix, shift: int) -> np.ndarray:
    """Bits that each gap takes by Rice's code."""
    lengths = np.diff(rows.indptr)
    remainders = _remainders(rows.shape[1], int(lengths.max(initial=0)), shift)
    each = np.repeat(remainders[lengths], lengths)
    return (_gaps(rows) >> each) + 1 + each


def _words_of(header: dict, rows: csr_matrix, heads: np.ndarray) -> np.ndarray:
    """The words of all rows, written as `header` says."""
    scales = ScaleTable(*header["tables"][0]).values[heads[:, 1]]
    each = np.repeat(scales.astype(np.float64), np.diff(rows.indptr))
    codes = codes_of(rows.data, each, header["bits"], header["middle"])
    is_rice = header["coding"] == RICE
    sizes = _gap_sizes(rows, header["shift"]) if is_rice else header["index_bits"]
    values = np.concatenate(([0], np.cumsum(np.full(rows.nnz, header["bits"]) + sizes)))
    starts = values[rows.indptr] + sum(header["head_bits"]) * np.arange(len(rows.indptr))
    words = np.zeros(int(starts[-1]) // 64 + 2, np.uint64)
    layout = layout_of(header, words)._replace(starts=starts)
    symbols = _gaps(rows) if is_rice else rows.indices.astype(np.int64)
    write_rows(layout, heads, rows.indptr.astype(np.int64), codes, symbols)
    return words


def layout_of(header: dict, words: np.ndarray) -> PackedLayout:
    """What the loops read; `starts` are still to be found."""
    n_items, width = header["shape"]
    scales, owns, inputs = (ScaleTable(*table).values for table in header["tables"])
    return PackedLayout(
        words=words,
        starts=np.zeros(n_items + 1, np.int64),
        head_bits=np.array(header["head_bits"]),
        shortest=header["shortest"],
        bits=header["bits"],
        middle=header["middle"],
        coding=header["coding"],
        index_bits=header["index_bits"],
        remainders=_remainders(width, header["longest"], header["shift"]),
        scales=scales,
        owns=owns,
        inputs=inputs,
    )
