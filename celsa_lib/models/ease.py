"""EASE in closed form, and with the regularisation of a denoising autoencoder, EDLAE."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, check_count, check_positive, check_share
from celsa_lib.kernels.devices import has_gpu
from celsa_lib.models.base import Recommender
from celsa_lib.retrieval import BATCH_USERS, hidden_items, recommend_in_batches

NOT_POSITIVE = "XᵀX + reg·I is not positive definite in float64; raise reg"
EASE_BYTES = 12  # times items²: its inverse in float64 and the weights made of it; one is kept
BLOCK_ROWS = 128  # rows or columns of a large matrix that are worked on at a time


def ease_fits(items: int, memory_gib: float) -> bool:
    """Whether EASE of so many items can be fitted in a memory; one of 0 is not known."""
    return not memory_gib or EASE_BYTES * items**2 <= memory_gib * 2**30


@dataclass(eq=False, repr=False)
class EASE(Recommender):
    """B = −P / diag(P) by columns, zero diagonal, P = (XᵀX + reg·I)⁻¹; scores x·B (Steck 2019).

    B (`weights_`) is items × items, float32: 4·items bytes per item. Fitting takes 8·items² bytes
    for P, and 12·items² for a moment, when B is made of it. `reg` is λ, in interactions, above 0.
    """

    name = "EASE"

    reg: float = 100.0

    def check_parameters(self) -> None:
        """See Recommender."""
        check_positive(reg=self.reg)

    @property
    def bytes_per_item(self) -> int:
        """See Recommender."""
        self._check_fitted()
        return 4 * self.weights_.shape[1]

    def _recommend(self, X: csr_matrix, n: int, exclude_seen: bool, among, without):
        """Many users are ranked on a CUDA GPU where there is one."""
        check_count(n=n)
        hidden = hidden_items(X.shape[1], among, without)
        found = self._on_gpu(X, lambda index: index.recommend(X, n, exclude_seen, hidden))
        if found is not None:
            return found
        return recommend_in_batches(self._score_on_cpu, X, n, exclude_seen, hidden)

    def ridge(self, popularity: np.ndarray) -> np.ndarray:
        """λ of each item, which `popularity` users have seen."""
        return np.full(len(popularity), float(self.reg))

    def _fit(self, X: csr_matrix) -> None:
        gram = gram_matrix(X)
        gram[np.diag_indices_from(gram)] += self.ridge(np.diag(gram))
        P = _inverse_on_gpu(gram) if has_gpu() else None
        P = _inverse_in_place(gram) if P is None else P
        scale = -1.0 / np.diag(P)
        P *= scale
        np.fill_diagonal(P, 0.0)
        self.weights_ = np.ascontiguousarray(P, dtype=np.float32)

    def _score(self, X: csr_matrix) -> np.ndarray:
        """Many users are scored on a CUDA GPU where there is one."""
        found = self._on_gpu(X, lambda index: index.scores(X))
        return self._score_on_cpu(X) if found is None else found

    def _score_on_cpu(self, X: csr_matrix) -> np.ndarray:
        return X @ self.weights_

    def _on_gpu(self, X: csr_matrix, compute: Callable):
        """What `compute(weights on a GPU)` gives; None for few users, and where a GPU cannot."""
        if X.shape[0] < BATCH_USERS or not has_gpu():
            return None
        from celsa_lib.kernels.room import where_it_fits
        from celsa_lib.retrieval.gpu import GpuWeights

        return where_it_fits(lambda: compute(GpuWeights(self.weights_, "cuda")))


@dataclass(eq=False, repr=False)
class EDLAE(EASE):
    """EASE with reg + p/(1 − p)·popularity as each item's λ (Steck 2020).

    In expectation that is training with input dropout: a share p of the interactions is hidden.
    `dropout` is p, from 0 up to, but not, 1.
    """

    name = "EDLAE"

    dropout: float = 0.3

    def check_parameters(self) -> None:
        """See Recommender."""
        super().check_parameters()
        check_share(dropout=self.dropout)

    def ridge(self, popularity: np.ndarray) -> np.ndarray:
        """See EASE."""
        return self.reg + self.dropout / (1 - self.dropout) * popularity


def gram_matrix(X: csr_matrix) -> np.ndarray:
    """XᵀX in float64, items × items, Fortran order; made BLOCK_ROWS columns at a time.

    The product of sparse matrices is nearly dense, and would take more memory than its result.
    """
    items = X.T.tocsr()
    gram = np.empty((X.shape[1], X.shape[1]), order="F")
    for block in blocks_of(len(gram)):
        rows = (items[block] @ X).astype(np.float64)  # of a symmetric matrix: its columns
        rows.toarray(out=gram.T[block])
    return gram


def blocks_of(length: int) -> list[slice]:
    """Slices of BLOCK_ROWS rows or columns."""
    return [slice(start, start + BLOCK_ROWS) for start in range(0, length, BLOCK_ROWS)]


def _inverse_on_gpu(matrix: np.ndarray) -> np.ndarray | None:
    """The inverse of a symmetric positive definite matrix on a GPU; None where it is too small."""
    import torch

    from celsa_lib.kernels.room import where_it_fits
    from celsa_lib.training.memory import free_memory

    def invert() -> np.ndarray:
        factor, info = torch.linalg.cholesky_ex(torch.from_numpy(matrix.T).cuda())
        if int(info) != 0:
            raise ConfigError(NOT_POSITIVE)
        return torch.cholesky_inverse(factor).cpu().numpy()

    if 3 * matrix.nbytes > free_memory(torch.device("cuda"))[0]:
        return None
    return where_it_fits(invert, "inverting")


def _inverse_in_place(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a symmetric positive definite matrix (Fortran order), in its own memory."""
    factor, info = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    if info == 0:
        factor, info = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise ConfigError(NOT_POSITIVE)
    for row in range(len(factor)):  # dpotri fills the lower triangle only
        factor[row, row + 1 :] = factor[row + 1 :, row]
    return factor
