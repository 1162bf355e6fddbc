"""ItemEmbeddings: the one object handed from training to retrieval, segments and reports."""

from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import DataError, check_count
from celsa_lib.files import save_arrays, stored_arrays
from celsa_lib.retrieval import SparseIndex, exclude_seen, top_n
from celsa_lib.split import matching

FORMAT = "celsa-item-embeddings"
VERSION = 1
BATCH_USERS = 1024  # users scored at a time: a block of users × items, never all of them


class ItemEmbeddings:
    """Item rows A, items × width, CSR float32, with the ids of the items.

    `about`: what is known of their making, plain JSON values; it goes into the file with them.
    Scores a user x by x·A·Aᵀ − x (equation 1).
    """

    def __init__(
        self, matrix: csr_matrix, item_ids: np.ndarray | None = None, about: dict | None = None
    ):
        """Rows `matrix` (items × width) and their ids; without ids, 0 … items − 1 stand in.

        The caller's arrays stay as they are. Raises DataError if rows and ids do not fit together
        or a value is not finite.
        """
        self.matrix = csr_matrix(matrix, dtype=np.float32)
        if not self.matrix.has_sorted_indices:
            self.matrix = self.matrix.sorted_indices()  # a copy
        n_items = self.matrix.shape[0]
        self.about = dict(about or {})
        self.item_ids = np.arange(n_items) if item_ids is None else np.asarray(item_ids)
        if len(self.item_ids) != n_items:
            raise DataError(
                f"{n_items} embedding rows but {len(self.item_ids)} item ids; pass one id per row, "
                "those of the data that the rows were trained on"
            )
        if not np.isfinite(self.matrix.data).all():
            raise DataError("the embeddings hold values that are not finite; train again")

    def __repr__(self) -> str:
        items, width = self.matrix.shape
        return f"ItemEmbeddings({items} items × {width}, {self.bytes_per_item} B per item)"

    @property
    def is_dense(self) -> bool:
        """Whether a dense layout is the smaller one: most entries are stored."""
        return 2 * self.matrix.nnz > self.matrix.shape[0] * self.matrix.shape[1]

    @property
    def bytes_per_item(self) -> int:
        """4 B a dense value; 8 B a sparse one (value and index), at the fullest row (Table 1)."""
        if self.is_dense:
            return 4 * self.matrix.shape[1]
        return 8 * int(np.diff(self.matrix.indptr).max(initial=0))

    def encode(self, X: csr_matrix) -> np.ndarray:
        """Users' latents x·A: users × width, float32."""
        X = self._matching(X)
        rows = self.matrix.toarray() if self.is_dense else self.matrix
        encoded = X @ rows
        return encoded if self.is_dense else encoded.toarray()

    def score(self, X: csr_matrix) -> np.ndarray:
        """x·A·Aᵀ − x: users × items, float32. Raises DataError if X has other columns."""
        X = self._matching(X)
        encoded = self.encode(X)
        if self.is_dense:
            scores = encoded @ self.matrix.toarray().T
        else:
            scores = np.ascontiguousarray((self.matrix @ encoded.T).T)
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        scores[rows, X.indices] -= X.data
        return scores

    def recommend(
        self, X: csr_matrix, n: int = 10, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best items per user: (indices, scores), each users × n; −1 where none is left.

        Sparse rows are never written out, and no user's scores are kept but the best.
        """
        X = self._matching(X)
        if self.is_dense:
            return recommend_in_batches(self.score, X, n, exclude_seen)
        check_count(n=n)
        return self._index.recommend(X, n, exclude_seen)

    @cached_property
    def _index(self) -> SparseIndex:
        return SparseIndex(self.matrix)

    def save(self, path: str | Path) -> Path:
        """Write one .npz (no pickle), whole or not at all. Raises StorageError."""
        header = {"format": FORMAT, "version": VERSION, "shape": self.matrix.shape}
        arrays = {
            "data": self.matrix.data,
            "indices": self.matrix.indices,
            "indptr": self.matrix.indptr,
            "item_ids": self.item_ids,
        }
        return save_arrays(path, header | {"about": self.about}, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "ItemEmbeddings":
        """Read what `save` wrote. Raises StorageError for anything else, and never unpickles."""
        with stored_arrays(path, FORMAT, VERSION, "item embeddings") as (header, stored):
            arrays = (stored["data"], stored["indices"], stored["indptr"])
            matrix = csr_matrix(arrays, shape=tuple(header["shape"]))
            matrix.check_format(full_check=True)
            return cls(matrix, stored.get("item_ids"), header.get("about"))

    def _matching(self, X: csr_matrix) -> csr_matrix:
        return matching(X, self.matrix.shape[0], "the embeddings have")


def recommend_in_batches(score, X: csr_matrix, n: int, without_seen: bool):
    """`top_n` of `score(X)`, a block of users at a time: (indices, scores), each users × n.

    Raises ConfigError if n < 1.
    """
    check_count(n=n)
    blocks = []
    for start in range(0, X.shape[0], BATCH_USERS):
        users = X[start : start + BATCH_USERS]
        scores = score(users)
        blocks.append(top_n(exclude_seen(scores, users) if without_seen else scores, n))
    if not blocks:
        width = min(n, X.shape[1])
        return np.empty((0, width), dtype=np.int64), np.empty((0, width), dtype=np.float32)
    return tuple(np.concatenate(part) for part in zip(*blocks, strict=True))
