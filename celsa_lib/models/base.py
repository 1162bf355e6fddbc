"""What every recommender does: fit, score, recommend."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings, recommend_in_batches
from celsa_lib.errors import DataError, NotFittedError
from celsa_lib.split import canonical


def histories(X: csr_matrix) -> csr_matrix:
    """X (users × items, sparse or an array of 0 and 1) as `canonical` CSR of ones.

    Raises DataError for any other value.
    """
    X = canonical(X)
    if not (X.data == 1).all():
        wrong = X.data[X.data != 1][0]
        raise DataError(
            f"histories hold only 0 and 1, X has a {wrong:g}; keep the ratings that count and set "
            f"them to 1 (load_interactions does it)"
        )
    return X


class Recommender(ABC):
    """A model of users' histories X (users × items, CSR, ones)."""

    name: str
    n_items: int | None = None

    def fit(self, X: csr_matrix) -> "Recommender":
        """Learn from the histories X; returns self. Raises DataError if X is empty or not 0/1."""
        X = self._checked(X)
        self._fit(X)
        self.n_items = X.shape[1]
        return self

    def score(self, X: csr_matrix) -> np.ndarray:
        """Scores, users × items, float32. Raises NotFittedError, DataError for other columns."""
        return self._score(self._matching(X))

    def _matching(self, X: csr_matrix) -> csr_matrix:
        """X as `canonical` CSR. Raises NotFittedError, DataError for other columns."""
        if self.n_items is None:
            raise NotFittedError(f"{self.name} has learned nothing yet; call fit(X) first")
        X = canonical(X)
        if X.shape[1] != self.n_items:
            raise DataError(
                f"X has {X.shape[1]} items, {self.name} was fitted on {self.n_items}; "
                f"use the same item order"
            )
        return X

    def recommend(
        self, X: csr_matrix, n: int = 10, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best items a user: (indices, scores), each users × n; −1 where none is left."""
        return recommend_in_batches(self._score, self._matching(X), n, exclude_seen)

    def _checked(self, X: csr_matrix) -> csr_matrix:
        X = histories(X)
        if X.nnz == 0:
            raise DataError(f"{self.name} cannot learn from an empty matrix {X.shape}")
        return X

    @property
    @abstractmethod
    def bytes_per_item(self) -> int:
        """Size of the fitted model by Table 1's rule: 4 B a dense value, 8 B a sparse one."""

    @abstractmethod
    def _fit(self, X: csr_matrix) -> None: ...

    @abstractmethod
    def _score(self, X: csr_matrix) -> np.ndarray: ...


class EmbeddingRecommender(Recommender):
    """A recommender that is nothing but item embeddings: scores x·A·Aᵀ − x (equation 1)."""

    _embeddings: ItemEmbeddings | None = None

    @property
    def item_embeddings(self) -> ItemEmbeddings:
        """The fitted rows A, items × width. Raises NotFittedError."""
        if self._embeddings is None:
            raise NotFittedError(f"{self.name} has learned nothing yet; call fit(X) first")
        return self._embeddings

    @property
    def bytes_per_item(self) -> int:
        """See Recommender."""
        return self.item_embeddings.bytes_per_item

    def recommend(
        self, X: csr_matrix, n: int = 10, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """See Recommender."""
        return self.item_embeddings.recommend(self._matching(X), n, exclude_seen)

    def _score(self, X: csr_matrix) -> np.ndarray:
        return self.item_embeddings.score(X)
