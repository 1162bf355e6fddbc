"""What every recommender does: fit, score, recommend."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import DataError, NotFittedError
from celsa_lib.kernels.forks import check_threads
from celsa_lib.parts import check_distinct, ids_array
from celsa_lib.retrieval import hidden_items, recommend_in_batches
from celsa_lib.split import canonical, matching

log = logging.getLogger(__name__)

FULL_ENOUGH = 0.95  # of a budget: below, it is said that rows could not fill it


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


class Recommender(BaseEstimator, ABC):
    """A scikit-learn estimator of users' histories X (users × items, CSR, ones).

    Models are dataclasses whose fields are their parameters. These are checked when a model is made
    and again when it is fitted, as `set_params` may have changed them. Fitted attributes end in an
    underscore: n_items_, item_ids_ and the model's own.
    """

    name: ClassVar[str]  # its label in tables and figures

    def __post_init__(self):
        self.check_parameters()

    @abstractmethod
    def check_parameters(self) -> None:
        """Raise ConfigError for a parameter out of its range."""

    def fit(self, X: csr_matrix, item_ids: Iterable | None = None) -> "Recommender":
        """Learn from the histories X (users × items), `item_ids` naming its columns; returns self.

        Without ids, 0 … items − 1 stand in. Raises ConfigError, DataError if X is empty or not 0/1.
        """
        self._fit(self._begin(X, item_ids))
        self.n_items_ = len(self.item_ids_)
        return self

    def score(self, X: csr_matrix) -> np.ndarray:
        """Scores, users × items, float32. Raises NotFittedError, DataError for other columns."""
        return self._score(self._matching(X))

    def recommend(
        self,
        X: csr_matrix,
        n: int = 10,
        exclude_seen: bool = True,
        among: Sequence[int] | None = None,
        without: Sequence[int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `n` best items per user: (indices, scores), users × n; −1 where none is left.

        among, without: positions of the only items that may be recommended, and of those that may
        not. Raises ConfigError for a position that is not there or n < 1.
        """
        return self._recommend(self._matching(X), n, exclude_seen, among, without)

    @property
    @abstractmethod
    def bytes_per_item(self) -> int:
        """Size of the fitted model by Table 1's rule: 4 B per dense value, 8 B per sparse one."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_items_")

    def _begin(self, X: csr_matrix, item_ids: Iterable | None) -> csr_matrix:
        """Check parameters, X and ids; X as `canonical` CSR of ones."""
        self.check_parameters()
        check_threads()
        X = histories(X)
        if X.nnz == 0:
            raise DataError(f"{self.name} cannot learn from an empty matrix {X.shape}")
        self.item_ids_ = ids_of_columns(X, item_ids)
        return X

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"{self.name} has learned nothing yet; call fit(X) first")

    def _matching(self, X: csr_matrix) -> csr_matrix:
        """X as `canonical` CSR. Raises NotFittedError, DataError for other columns."""
        self._check_fitted()
        return matching(X, self.n_items_, f"{self.name} was fitted on")

    @abstractmethod
    def _fit(self, X: csr_matrix) -> None: ...

    @abstractmethod
    def _score(self, X: csr_matrix) -> np.ndarray: ...

    def _recommend(self, X: csr_matrix, n: int, exclude_seen: bool, among, without):
        """`recommend` for X as `canonical` CSR."""
        hidden = hidden_items(X.shape[1], among, without)
        return recommend_in_batches(self._score, X, n, exclude_seen, hidden)


def say_if_short(name: str, nnz: int, nonzeros: int, n_items: int, most: str) -> None:
    """Log a warning where rows have clearly fewer `nonzeros` than `nnz` for each of n_items.

    most: what bounds them, for the message.
    """
    held = nonzeros / n_items
    if held < FULL_ENOUGH * nnz:
        log.warning(
            "%s: nnz is %d, and rows hold %.1f nonzeros on average, as %s; their size is what they "
            "hold",
            name, nnz, held, most,
        )  # fmt: skip


def ids_of_columns(X: csr_matrix, item_ids: Iterable | None) -> np.ndarray:
    """An id per column of X, as given or counted. Raises DataError unless each has its own."""
    if item_ids is None:
        return np.arange(X.shape[1])
    ids = ids_array(item_ids)
    if ids.shape != (X.shape[1],):
        raise DataError(
            f"X has {X.shape[1]} items and item_ids the shape {ids.shape}; pass one id per column"
        )
    check_distinct(ids)
    return ids


class EmbeddingRecommender(Recommender):
    """A recommender that is nothing but item embeddings: scores x·A·Aᵀ − x (equation 1)."""

    @property
    def item_embeddings(self) -> ItemEmbeddings:
        """The fitted rows A, items × width, with the items' ids. Raises NotFittedError."""
        self._check_fitted()
        return self._embeddings

    @property
    def bytes_per_item(self) -> int:
        """See Recommender."""
        return self.item_embeddings.bytes_per_item

    def _score(self, X: csr_matrix) -> np.ndarray:
        return self.item_embeddings.score(X)

    def _recommend(self, X: csr_matrix, n: int, exclude_seen: bool, among, without):
        return self.item_embeddings.recommend(X, n, exclude_seen, among, without)

    def _keep_rows(self, rows: csr_matrix, input_scales: np.ndarray | None = None) -> None:
        """Keep the trained rows A (items × width) as `item_embeddings`."""
        self._embeddings = ItemEmbeddings(rows, self.item_ids_, input_scales=input_scales)
