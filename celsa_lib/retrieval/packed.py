"""Item rows of few bytes, in memory or in a file, scored where they lie: `PackedRows`.

The file is an uncompressed .npz: any NumPy reads its arrays, a checksum is over all of them, and
they are mapped into memory. The latent of its own that an anchored row holds needs no index.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.arrays import map_arrays, save_arrays
from celsa_lib.kernels.forks import check_threads
from celsa_lib.kernels.packed import (
    FIXED,
    FULL,
    RICE,
    PackedLayout,
    decode_users,
    encode_users,
    find_rows,
    read_rows,
    write_rows,
)
from celsa_lib.retrieval.quantise import (
    BITS,
    ScaleTable,
    best_scales,
    check_bits,
    coded_scales,
    codes_of,
    middle_of,
)
from celsa_lib.retrieval.ranking import hidden_items, recommend_in_batches
from celsa_lib.split import matching

FORMAT = "celsa-packed-embeddings"
VERSION = 2  # 1 had no checksum over all
HEADER_COUNTS = ("bits", "middle", "longest", "shortest", "coding", "index_bits")  # in a header
SHIFTS = range(-2, 3)  # tried: bits of a gap's remainder more than those of the mean gap


class PackedRows:
    """Packed item rows (items × width): scores as those of ItemEmbeddings, of the rows as they lie.

    Of rows in a file, 8 bytes per item (where each row starts) are in memory, and what the system
    keeps of the file. path: None for rows in memory.
    """

    FORMAT, WHAT = FORMAT, "item embeddings"  # what such a file calls itself, and a message

    def __init__(self, path: Path | None, header: dict, arrays: dict):
        """What `packed_parts` gives. Raises ValueError if the parts do not fit together."""
        _check_header(header, arrays)
        self.path, self.about, self._header = path, header["about"], header
        self.shape, self.bits = tuple(header["shape"]), header["bits"]
        self.is_dense, self.item_ids = header["is_dense"], arrays["item_ids"]
        self._layout = _layout(header, arrays["words"])
        self._longest = len(self._layout.remainders)  # of a row with its own latent
        if not find_rows(self._layout, self.shape[1]):
            raise ValueError("a row does not end, or points at no scale")

    @classmethod
    def of(cls, path: str | Path | None, *parts, bits: int = 4, **kind) -> "PackedRows":
        """Rows packed by `packed_parts`: in memory, or in a file at `path` and read from it.

        Raises ConfigError for other bits, StorageError.
        """
        header, arrays = packed_parts(*parts, bits=bits, **kind)
        packed = cls(None, header, arrays)
        return packed if path is None else cls.load(packed.save(path))

    def save(self, path: str | Path) -> Path:
        """Write one .npz that `load` maps into memory, whole or not at all. Raises StorageError."""
        header = {"format": self.FORMAT, "version": VERSION} | self._header
        arrays = {"words": self._layout.words, "item_ids": self.item_ids}  # words: same place
        return save_arrays(path, header, arrays, compress=False)

    @classmethod
    def load(cls, path: str | Path) -> "PackedRows":
        """Verify the file and map it into memory. Raises StorageError for anything else."""
        opened = map_arrays(path, cls.FORMAT, VERSION, f"packed {cls.WHAT}")
        with opened as (header, arrays):
            return cls(Path(path).expanduser(), header, arrays)

    def __repr__(self) -> str:
        items, width = self.shape
        size = f"{self.bytes_per_item:.1f} B per item"
        return f"{type(self).__name__}({items} items × {width}, {self.bits} bits, {size})"

    @property
    def bytes_per_item(self) -> float:
        """Bytes of rows, scales and lengths in the file over items; ids and header left out."""
        return self._layout.words.nbytes / max(1, self.shape[0])

    @property
    def layout(self) -> PackedLayout:
        """The words and how to read them, for readers of other languages."""
        return self._layout

    def encode(self, X: csr_matrix) -> csr_matrix | np.ndarray:
        """Users' latents x·A, or x·W·U with input scales: users × width, float32.

        CSR where the rows are sparse; what a vector database is queried with.
        """
        latents = self.activations(X)
        return latents if self.is_dense else csr_matrix(latents)

    def activations(self, X: csr_matrix) -> np.ndarray:
        """`encode`, written out: users × width, float32."""
        return self._encode(self._matching(X))[0]

    def score(self, X: csr_matrix) -> np.ndarray:
        """x·A·Aᵀ − x, or x·W·(U·Uᵀ − I)·S: users × items, float32.

        Raises DataError if X has other columns.
        """
        check_threads()
        X = self._matching(X)
        E, own = self._encode(X)
        scores = decode_users(self._layout, self._longest, E)
        scores[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices] -= own
        return scores

    def recommend(
        self,
        X: csr_matrix,
        n: int = 10,
        exclude_seen: bool = True,
        among: Sequence[int] | None = None,
        without: Sequence[int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best items per user: (indices, scores), each users × n; −1 where none is left.

        among, without: see `ItemEmbeddings.recommend`. Raises ConfigError.
        """
        hidden = hidden_items(self.shape[0], among, without)
        return recommend_in_batches(self.score, self._matching(X), n, exclude_seen, hidden)

    def rows(self) -> tuple[csr_matrix, np.ndarray | None]:
        """(rows, items × width, CSR float32; input scales or None), expanded."""
        n_items, layout = self.shape[0], self._layout
        most = int(layout.starts[-1]) // layout.bits + n_items  # values that these bits may hold
        indptr, inputs = np.zeros(n_items + 1, np.int64), np.empty(n_items, np.float32)
        columns, values = np.empty(most, np.int64), np.empty(most, np.float32)
        read_rows(layout, indptr, columns, values, inputs)
        stored = slice(0, indptr[-1])
        matrix = csr_matrix((values[stored], columns[stored], indptr), shape=self.shape)
        matrix.sort_indices()
        return matrix, inputs if len(layout.inputs) else None

    def _encode(self, X: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """(latents of X's users, what each interaction adds to its own score)."""
        E, own = np.zeros((X.shape[0], self.shape[1]), np.float32), np.empty(X.nnz, np.float32)
        encode_users(self._layout, self._longest, X.indptr, X.indices, X.data, E, own)
        return E, own

    def _matching(self, X: csr_matrix) -> csr_matrix:
        return matching(X, self.shape[0], f"the {self.WHAT} have")


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
    layout = _layout(header, words)._replace(starts=starts)
    symbols = _gaps(rows) if is_rice else rows.indices.astype(np.int64)
    write_rows(layout, heads, rows.indptr.astype(np.int64), codes, symbols)
    return words


def _check_header(header: dict, arrays: dict) -> None:
    """Raise ValueError for what `packed_parts` gives no header: loops trust it."""
    (n_items, width), words, ids = header["shape"], arrays["words"], arrays["item_ids"]
    numbers = [n_items, width, *(header[name] for name in HEADER_COUNTS), *header["head_bits"]]
    fits = all(type(number) is int and 0 <= number < 2**31 for number in numbers)
    fits = fits and words.dtype == np.uint64 and words.ndim == 1 and len(words) > 1
    fits = fits and ids.shape == (n_items,) and len(header["head_bits"]) == 4
    fits = fits and max(header["index_bits"], *header["head_bits"]) <= 32
    fits = fits and max(header["longest"], header["shortest"]) <= width
    fits = fits and header["coding"] in (FULL, FIXED, RICE) and header["shift"] in SHIFTS
    fits = fits and type(header["is_dense"]) is bool and isinstance(header["about"], dict)
    if not fits or header["bits"] not in BITS or header["middle"] > 2 ** header["bits"]:
        raise ValueError("a header that is of no packed rows")
    tables = [ScaleTable(*table) for table in header["tables"]]
    for low, high, steps, _ in tables:
        empty = low is None and not steps
        if not empty and not (0 <= steps < 2**16 and np.isfinite([low, high]).all()):
            raise ValueError("a table that holds no scales")
    if n_items and tables[0].low is None:
        raise ValueError("rows without scales")


def _layout(header: dict, words: np.ndarray) -> PackedLayout:
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
