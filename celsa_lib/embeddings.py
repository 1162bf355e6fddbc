"""ItemEmbeddings: the one object handed from training to retrieval, segments and reports.

PackedEmbeddings is what `pack` makes of it: a few bits per value, in a file that is read in place.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, diags

from celsa_lib.arrays import check_csr, format_of, save_arrays, stored_arrays
from celsa_lib.errors import DataError, check_between, check_count
from celsa_lib.kernels.devices import has_gpu
from celsa_lib.parts import as_rows, as_scales, check_distinct, each_alone, ids_array, plain_about
from celsa_lib.retrieval import (
    BATCH_USERS,
    PackedRows,
    SparseIndex,
    hidden_items,
    recommend_in_batches,
)
from celsa_lib.split import matching

FORMAT = "celsa-item-embeddings"
VERSION = 3  # 2 had no checksum
LARGEST = 1e15  # sums of products of such values are finite in float32 for a thousand items


class ItemEmbeddings:
    """Item rows A, items × width, CSR float32, with the ids of the items.

    `about`: what is known of their making, plain JSON values; it goes into the file with them.
    Scores a user x by x·A·Aᵀ − x (equation 1). With `input_scales` w (items) a row's norm is its
    scale s as output, and the score x·W·(U·Uᵀ − I)·S, U being the unit rows.
    """

    def __init__(
        self,
        matrix: csr_matrix,
        item_ids: np.ndarray | None = None,
        about: dict | None = None,
        input_scales: np.ndarray | None = None,
    ):
        """Rows `matrix` (items × width) and their ids; without ids, 0 … items − 1 stand in.

        The caller's arrays stay as they are. Raises DataError if rows and ids do not fit together
        or a value is not finite.
        """
        self.matrix = as_rows(matrix)
        if not self.matrix.has_sorted_indices:
            self.matrix = self.matrix.sorted_indices()  # a copy
        n_items = self.matrix.shape[0]
        self.about = plain_about(about)
        self.item_ids = np.arange(n_items) if item_ids is None else ids_array(item_ids)
        if len(self.item_ids) != n_items:
            raise DataError(
                f"{n_items} embedding rows but {len(self.item_ids)} item ids; pass one id per row, "
                "those of the data that the rows were trained on"
            )
        check_distinct(self.item_ids)
        self.input_scales = input_scales
        if input_scales is not None:
            self.input_scales = as_scales(input_scales)
            if self.input_scales.shape != (n_items,):
                raise DataError(
                    f"{n_items} embedding rows but input_scales of shape "
                    f"{self.input_scales.shape}; pass one number per row"
                )
        values = [self.matrix.data, *([] if input_scales is None else [self.input_scales])]
        if not all((np.abs(array) < LARGEST).all() for array in values):  # false of NaN too
            raise DataError(
                f"the embeddings hold values that are not finite, or {LARGEST:g} and more, whose "
                "scores are not; train again"
            )

    def __repr__(self) -> str:
        items, width = self.matrix.shape
        return f"ItemEmbeddings({items} items × {width}, {self.bytes_per_item} B per item)"

    @property
    def is_dense(self) -> bool:
        """Whether a dense layout is the smaller one: most entries are stored."""
        return 2 * self.matrix.nnz > self.matrix.shape[0] * self.matrix.shape[1]

    @property
    def bytes_per_item(self) -> int:
        """4 B per dense value; 8 B per sparse one (value and index), per row on average (Table 1).

        An input scale takes the place of the index of a row's own latent, which is implied.
        """
        n_items, width = self.matrix.shape
        return 4 * width if self.is_dense else -(-8 * self.matrix.nnz // max(1, n_items))

    def encode(self, X: csr_matrix) -> csr_matrix | np.ndarray:
        """Users' latents x·A, or x·W·U with input scales: users × width, float32.

        CSR where the rows are sparse; what a vector database is queried with.
        """
        X = self._matching(X)
        return X @ (self._encoder.toarray() if self.is_dense else self._encoder)

    def activations(self, X: csr_matrix) -> np.ndarray:
        """`encode`, written out: users × width, float32."""
        encoded = self.encode(X)
        return encoded if self.is_dense else encoded.toarray()

    @cached_property
    def norms(self) -> np.ndarray:
        """ℓ2 norm of each row, its scale as output: (items,), float32."""
        return np.sqrt(np.asarray(self.matrix.multiply(self.matrix).sum(axis=1)).ravel())

    @cached_property
    def _encoder(self) -> csr_matrix:
        """What encodes a user, W·U: the rows themselves without input scales."""
        if self.input_scales is None:
            return self.matrix
        return self._times_rows(self.input_scales)

    def _times_rows(self, scales: np.ndarray | float) -> csr_matrix:
        """Unit rows, each times its scale."""
        factor = scales / np.maximum(self.norms, np.float32(1e-12))
        data = self.matrix.data * np.repeat(factor, np.diff(self.matrix.indptr))
        parts = data.astype(np.float32), self.matrix.indices, self.matrix.indptr
        return csr_matrix(parts, shape=self.matrix.shape)

    @cached_property
    def is_anchored(self) -> bool:
        """Whether every row holds a latent of its own, at its own place."""
        n_items, width = self.matrix.shape
        return n_items == width and not self.is_dense and bool(self.matrix.diagonal().all())

    @cached_property
    def marking(self) -> csr_matrix:
        """What marks an item: its row; of an anchored row its own latent alone."""
        return csr_matrix(diags(self.matrix.diagonal())) if self.is_anchored else self.matrix

    @cached_property
    def own_part(self) -> np.ndarray:
        """Each seen item's part in its own score: 1, or w·s with input scales."""
        if self.input_scales is None:
            return np.ones(self.matrix.shape[0], dtype=np.float32)
        return (self.input_scales * self.norms).astype(np.float32)

    def score(self, X: csr_matrix) -> np.ndarray:
        """x·A·Aᵀ − x, or x·W·(U·Uᵀ − I)·S: users × items, float32.

        Many users are scored on a CUDA GPU where there is one. Raises DataError if X has other
        columns.
        """
        X = self._matching(X)
        found = self._on_gpu(X, lambda index: index.scores(X))
        if found is not None:
            return found
        encoded = self.activations(X)
        if self.is_dense:
            scores = encoded @ self.matrix.toarray().T
        else:
            scores = np.ascontiguousarray((self.matrix @ encoded.T).T)
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        scores[rows, X.indices] -= X.data * self.own_part[X.indices]
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

        among, without: positions of the only items that may be recommended, and of those that may
        not. Sparse rows are never written out, and no user's scores are kept but the best. Many
        users are ranked on a CUDA GPU where there is one. effort: below 1, fewer than 32 users are
        answered from those largest of their latents that hold this share of the sum of squares,
        so that some of the best may be missed; what is found is scored exactly. Raises ConfigError
        for a position that is not there, n < 1 or an effort that is not from 0 to 1.
        """
        X = self._matching(X)
        check_count(n=n)
        check_between(0, 1, effort=effort)
        hidden = hidden_items(X.shape[1], among, without)
        found = self._on_gpu(X, lambda index: index.recommend(X, n, exclude_seen, hidden))
        if found is not None:
            return found
        if self.is_dense:
            return recommend_in_batches(self.score, X, n, exclude_seen, hidden)
        return self._index.recommend(X, n, exclude_seen, hidden, effort)

    def similar(
        self,
        items: Sequence[int],
        n: int = 10,
        among: Sequence[int] | None = None,
        without: Sequence[int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` other items nearest to each of `items`, by cosine of rows, whatever their norms.

        items: positions; among, without: as in `recommend`. Gives what it does: (indices, cosines),
        each items × n. Raises ConfigError for a position that is not there or n < 1.
        """
        asked = each_alone(items, self.matrix.shape[0])
        return self.unit.recommend(asked, n, among=among, without=without)

    @cached_property
    def unit(self) -> "ItemEmbeddings":
        """The same with rows of unit norm, and no scales."""
        return ItemEmbeddings(self._times_rows(1.0), self.item_ids)

    def _on_gpu(self, X: csr_matrix, compute: Callable):
        """What `compute(index on a GPU)` gives; None for few users, and where a GPU cannot."""
        if X.shape[0] < BATCH_USERS or not has_gpu():
            return None
        from celsa_lib.kernels.room import where_it_fits

        return where_it_fits(lambda: compute(self._gpu_index))

    @cached_property
    def _gpu_index(self):
        from celsa_lib.retrieval.gpu import GpuIndex

        return GpuIndex(self.matrix, self._encoder, self.own_part, "cuda", self.is_dense)

    @cached_property
    def _index(self) -> SparseIndex:
        return SparseIndex(self.matrix, self._encoder.data, self.own_part)

    def save(self, path: str | Path) -> Path:
        """Write one .npz (no pickle), whole or not at all. Raises StorageError."""
        header = {"format": FORMAT, "version": VERSION, "shape": self.matrix.shape}
        arrays = {
            "data": self.matrix.data,
            "indices": self.matrix.indices,
            "indptr": self.matrix.indptr,
            "item_ids": self.item_ids,
        }
        if self.input_scales is not None:
            arrays["input_scales"] = self.input_scales
        return save_arrays(path, header | {"about": self.about}, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "ItemEmbeddings":
        """Read what `save` wrote. Raises StorageError for anything else, and never unpickles."""
        with stored_arrays(path, FORMAT, VERSION, "item embeddings") as (header, stored):
            arrays = (stored["data"], stored["indices"], stored["indptr"])
            if [array.dtype.kind for array in arrays] != ["f", "i", "i"]:
                raise ValueError("arrays of other types than were saved")
            matrix = csr_matrix(arrays, shape=tuple(header["shape"]))
            check_csr(matrix)
            scales = stored.get("input_scales")
            return cls(matrix, stored["item_ids"], header["about"], scales)

    def pack(self, bits: int = 4, path: str | Path | None = None) -> "PackedEmbeddings":
        """Rows with values of `bits` (3, 4 or 8), in memory, or in a file at `path`, read there.

        Dense rows are packed too, and need no indices. Raises ConfigError, StorageError.
        """
        parts = self.matrix, self.item_ids, self.about, self.input_scales
        kind = self.is_anchored, self.is_dense
        return PackedEmbeddings.of(path, *parts, *kind, bits=bits)

    def _matching(self, X: csr_matrix) -> csr_matrix:
        return matching(X, self.matrix.shape[0], "the embeddings have")


class PackedEmbeddings(PackedRows):
    """Packed item rows (`ItemEmbeddings.pack`): used as they are, or unpacked."""

    def unpack(self) -> ItemEmbeddings:
        """The rows in memory, items × width, CSR float32, as `score` reads them."""
        matrix, input_scales = self.rows()
        return ItemEmbeddings(matrix, self.item_ids, self.about, input_scales)

    def similar(
        self,
        items: Sequence[int],
        n: int = 10,
        among: Sequence[int] | None = None,
        without: Sequence[int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `ItemEmbeddings.similar`; rows are read where they lie, 4 bytes per item are kept."""
        asked = each_alone(items, self.shape[0])
        hidden = hidden_items(self.shape[0], among, without)
        return recommend_in_batches(self._cosines, asked, n, without_seen=True, hidden=hidden)


def open_embeddings(path: str | Path) -> ItemEmbeddings | PackedEmbeddings:
    """What `save` or `pack` wrote, as the file says. Raises StorageError for anything else."""
    packed = format_of(path, "item embeddings") == PackedEmbeddings.FORMAT
    return PackedEmbeddings.load(path) if packed else ItemEmbeddings.load(path)
