"""Item rows of few bytes, in memory or in a file, scored where they lie: `PackedRows`.

The file is an uncompressed .npz: any NumPy reads its arrays, a checksum is over all of them, and
they are mapped into memory. The latent of its own that an anchored row holds needs no index.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.arrays import map_arrays, save_arrays
from celsa_lib.errors import check_between, check_count
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
)
from celsa_lib.kernels.packed_cosine import packed_cosines, packed_norms
from celsa_lib.kernels.simd import LANES
from celsa_lib.retrieval.lists import CACHED_ITEMS
from celsa_lib.retrieval.packed_index import PackedIndex
from celsa_lib.retrieval.packing import SHIFTS, layout_of, packed_parts
from celsa_lib.retrieval.quantise import BITS, ScaleTable
from celsa_lib.retrieval.ranking import hidden_items, recommend_in_batches
from celsa_lib.split import matching

FORMAT = "celsa-packed-embeddings"
VERSION = 2  # 1 had no checksum over all
HEADER_COUNTS = ("bits", "middle", "longest", "shortest", "coding", "index_bits")  # in a header


class PackedRows:
    """Packed item rows (items × width): scores as those of ItemEmbeddings, of the rows as they lie.

    Of rows in a file, 8 bytes per item (where each row starts) are in memory, and what the system
    keeps of the file; `recommend` adds lists. path: None for rows in memory.
    """

    FORMAT, WHAT = FORMAT, "item embeddings"  # what such a file calls itself, and a message
    encodes_and_decodes = True  # scores are products of rows with rows

    def __init__(self, path: Path | None, header: dict, arrays: dict):
        """What `packed_parts` gives. Raises ValueError if the parts do not fit together."""
        _check_header(header, arrays)
        self.path, self.about, self._header = path, header["about"], header
        self.shape, self.bits = tuple(header["shape"]), header["bits"]
        self.is_dense, self.item_ids = header["is_dense"], arrays["item_ids"]
        self._layout = layout_of(header, arrays["words"])
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
        effort: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best items per user: (indices, scores), each users × n; −1 where none is left.

        among, without, effort: see `ItemEmbeddings.recommend`. Sparse rows are found through lists
        of 3 bytes per nonzero, made when they are first needed: for fewer than 32 users, and for
        any among 32,768 items or more. Raises ConfigError.
        """
        X = self._matching(X)
        check_count(n=n)
        check_between(0, 1, effort=effort)
        hidden = hidden_items(self.shape[0], among, without)
        few = X.shape[0] < LANES or self.shape[0] >= CACHED_ITEMS
        if few and self.encodes_and_decodes and not self.is_dense:
            return self._index.recommend(X, n, exclude_seen, hidden, effort)
        return recommend_in_batches(self.score, X, n, exclude_seen, hidden)

    @cached_property
    def _index(self) -> PackedIndex:
        return PackedIndex(self._layout, self._longest, self.shape[1])

    def rows(self) -> tuple[csr_matrix, np.ndarray | None]:
        """(rows, items × width, CSR float32; input scales or None), expanded."""
        n_items, layout = self.shape[0], self._layout
        most = int(layout.starts[-1]) // layout.bits + n_items  # values that these bits may hold
        indptr, inputs = np.zeros(n_items + 1, np.int64), np.empty(n_items, np.float32)
        columns, values = np.empty(most, np.int64), np.empty(most, np.float32)
        read_rows(layout, 0, indptr, columns, values, inputs)
        stored = slice(0, indptr[-1])
        matrix = csr_matrix((values[stored], columns[stored], indptr), shape=self.shape)
        matrix.sort_indices()
        return matrix, inputs if len(layout.inputs) else None

    def _cosines(self, asked: csr_matrix) -> np.ndarray:
        """Cosines of all rows with the one that each row of `asked` names."""
        check_threads()
        parts = self._layout, self._longest, self.shape[1]
        return packed_cosines(*parts, asked.indices, self._norms)

    @cached_property
    def _norms(self) -> np.ndarray:
        return packed_norms(self._layout, self._longest)

    def _encode(self, X: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """(latents of X's users, what each interaction adds to its own score)."""
        E, own = np.zeros((X.shape[0], self.shape[1]), np.float32), np.empty(X.nnz, np.float32)
        encode_users(self._layout, self._longest, X.indptr, X.indices, X.data, E, own)
        return E, own

    def _matching(self, X: csr_matrix) -> csr_matrix:
        return matching(X, self.shape[0], f"the {self.WHAT} have")


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
