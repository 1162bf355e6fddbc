"""Item weights pruned to a budget: of EASE, of EDLAE, and of a sparse Markov random field."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.linalg import solve
from scipy.linalg.blas import dger
from scipy.sparse import csc_matrix, csr_matrix

from celsa_lib.errors import ConfigError, check_count, check_positive, check_share
from celsa_lib.models.base import Recommender, histories, say_if_short
from celsa_lib.models.ease import EASE, EDLAE, blocks_of, gram_matrix
from celsa_lib.retrieval import PackedRows

PRUNED_BY = ("row", "matrix")


class SparseWeights(Recommender):
    """A recommender that is a sparse matrix of weights: scores x·B, weights_ items × items, CSR."""

    @property
    def bytes_per_item(self) -> int:
        """See Recommender; per item on average."""
        self._check_fitted()
        return -(-8 * self.weights_.nnz // self.weights_.shape[0])

    def pack(self, bits: int = 4, path: str | Path | None = None) -> "PackedWeights":
        """Weights of `bits` (3, 4 or 8), in memory, or in a file at `path`, read there.

        Raises NotFittedError, ConfigError for other bits, StorageError.
        """
        self._check_fitted()
        return PackedWeights.of(path, self.weights_, self.item_ids_, {}, bits=bits)

    def _score(self, X: csr_matrix) -> np.ndarray:
        return (X @ self.weights_).toarray()

    def _say_if_short(self) -> None:
        n_items = self.weights_.shape[0]
        most = f"there are weights for no more than {n_items - 1} others"
        say_if_short(self.name, self.nnz, self.weights_.nnz, n_items, most)


class PackedWeights(PackedRows):
    """Packed item weights B (`SparseWeights.pack`): scores x·B."""

    FORMAT, WHAT = "celsa-packed-weights", "item weights"
    encodes_and_decodes = False

    def score(self, X: csr_matrix) -> np.ndarray:
        """x·B: users × items, float32. Raises DataError if X has other columns."""
        return self.activations(X)


@dataclass(eq=False, repr=False)
class PrunedEASE(SparseWeights):
    """EASE with `nnz` weights per item: 8·nnz bytes per item.

    support "row" keeps the largest |weights| of each row of B, "matrix" the largest of the whole
    matrix, `nnz` per row on average. `refit`: each item is then regressed anew on those that are
    left to predict it.
    """

    name = "Pruned EASE"

    reg: float = 100.0
    nnz: int = 16
    support: str = "row"
    refit: bool = False

    def check_parameters(self) -> None:
        """See Recommender."""
        check_positive(reg=self.reg)
        check_count(nnz=self.nnz)
        if self.support not in PRUNED_BY:
            raise ConfigError(
                f'unknown support "{self.support}"; choose one of {", ".join(PRUNED_BY)}'
            )

    @property
    def whole(self) -> EASE:
        """The model that is pruned, not fitted."""
        return EASE(self.reg)

    @property
    def bytes_per_item(self) -> int:
        """See Recommender; rows pruned one by one are as long as the longest."""
        self._check_fitted()
        if self.support == "matrix":
            return super().bytes_per_item
        return 8 * int(np.diff(self.weights_.indptr).max())

    @classmethod
    def from_ease(
        cls,
        ease: EASE,
        nnz: int = 16,
        support: str = "row",
        refit: bool = False,
        X: csr_matrix | None = None,
    ) -> "PrunedEASE":
        """A fitted EASE (EDLAE of PrunedEDLAE) pruned, without inverting again; `refit` needs its
        histories X.

        Raises ConfigError, NotFittedError, DataError for histories of other items.
        """
        whole = type(cls().whole)
        if type(ease) is not whole:
            raise ConfigError(
                f"{cls.__name__} prunes a fitted {whole.__name__}, got {type(ease).__name__}"
            )
        model = cls(**ease.get_params(), nnz=nnz, support=support, refit=refit)
        ease._check_fitted()
        if refit and X is None:
            raise ConfigError(
                "weights are refitted on the histories that EASE learned from; pass X"
            )
        model._prune(ease, histories(ease._matching(X)) if refit else None)
        model.n_items_, model.item_ids_ = ease.n_items_, ease.item_ids_
        return model

    def _fit(self, X: csr_matrix) -> None:
        self._prune(self.whole.fit(X), X)

    def _prune(self, ease: EASE, X: csr_matrix | None) -> None:
        prune = prune_rows if self.support == "row" else prune_matrix
        self.weights_ = prune(ease.weights_, self.nnz)
        if self.refit:
            gram = gram_matrix(X)
            gram[np.diag_indices_from(gram)] += ease.ridge(np.diag(gram))
            self.weights_ = regressed(gram, self.weights_)
        self._say_if_short()


@dataclass(eq=False, repr=False)
class PrunedEDLAE(PrunedEASE):
    """EDLAE with `nnz` weights per item, kept and refitted as those of PrunedEASE."""

    name = "Pruned EDLAE"

    dropout: float = 0.3

    def check_parameters(self) -> None:
        """See Recommender."""
        super().check_parameters()
        check_share(dropout=self.dropout)

    @property
    def whole(self) -> EDLAE:
        """See PrunedEASE."""
        return EDLAE(self.reg, self.dropout)


@dataclass(eq=False, repr=False)
class SparseMRF(SparseWeights):
    """A Markov random field over the strongest correlations (Steck 2019, its r = 0): no inverse.

    Columns of X are centred and divided by their standard deviation to the power `ALPHA`; the
    largest |covariances| of the whole matrix, `nnz` per row on average, are the support, on which
    each item is regressed. reg is the ridge of these scaled columns.
    """

    name = "Sparse MRF"
    ALPHA = 0.75  # of Steck (2019)

    reg: float = 1.0
    nnz: int = 16

    def check_parameters(self) -> None:
        """See Recommender."""
        check_positive(reg=self.reg)
        check_count(nnz=self.nnz)

    def _fit(self, X: csr_matrix) -> None:
        gram = gram_matrix(X)
        mean = np.diag(gram) / X.shape[0]
        gram = dger(-X.shape[0], mean, mean, a=gram, overwrite_a=1)
        scale = np.maximum(np.diag(gram), 1e-12) ** (self.ALPHA / 2)
        gram /= scale
        gram /= scale[:, None]
        variance = np.diag(gram).copy()
        np.fill_diagonal(gram, 0.0)
        support = prune_matrix(gram, self.nnz)
        np.fill_diagonal(gram, variance + self.reg)
        weights = regressed(gram, support)
        rows = np.repeat(np.arange(len(scale)), np.diff(weights.indptr))
        weights.data *= (scale[weights.indices] / scale[rows]).astype(np.float32)
        self.weights_ = weights
        self._say_if_short()


def regressed(gram: np.ndarray, support: csr_matrix) -> csr_matrix:
    """Ridge regression of each item (column) on the items of its column in `support`.

    gram is XᵀX with the ridge on its diagonal: b_S = (gram_SS)⁻¹ · gram_Sj, S the column's rows.
    """
    weights = csc_matrix(support, dtype=np.float64)
    for j in range(weights.shape[1]):
        part = slice(weights.indptr[j], weights.indptr[j + 1])
        kept = weights.indices[part]
        if len(kept):
            weights.data[part] = solve(gram[np.ix_(kept, kept)], gram[kept, j], assume_a="pos")
    found = weights.tocsr().astype(np.float32)
    found.sort_indices()
    return found


def prune_rows(weights: np.ndarray, nnz: int) -> csr_matrix:
    """The `nnz` largest |values| of each row of a dense matrix, as CSR of the same shape."""
    nnz = min(nnz, weights.shape[1])
    kept = np.empty((weights.shape[0], nnz), dtype=np.int64)
    for block in blocks_of(len(weights)):
        kept[block] = np.argpartition(np.abs(weights[block]), -nnz, axis=1)[:, -nnz:]
    values = np.take_along_axis(weights, kept, axis=1)
    indptr = np.arange(0, kept.size + 1, nnz)
    pruned = csr_matrix((values.ravel(), kept.ravel(), indptr), shape=weights.shape)
    pruned.eliminate_zeros()
    pruned.sort_indices()
    return pruned


def prune_matrix(weights: np.ndarray, nnz: int) -> csr_matrix:
    """The largest |values| of a dense matrix, `nnz` per row on average, as CSR of its shape."""
    size = min(nnz * weights.shape[0], weights.size)
    kept = np.argpartition(np.abs(weights), -size, axis=None)[-size:]
    rows, cols = np.unravel_index(kept, weights.shape)
    pruned = csr_matrix((weights[rows, cols].astype(np.float32), (rows, cols)), weights.shape)
    pruned.eliminate_zeros()
    pruned.sort_indices()
    return pruned
