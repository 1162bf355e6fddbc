"""Scores and top-n on a GPU: blocks of users, sparse products, and a ranking that knows ties."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels.room import is_out_of_memory
from celsa_lib.retrieval.ranking import ALL_SHOWN, SCORES_AT_ONCE, empty_ranking

Ranking = tuple[np.ndarray, np.ndarray]


class GpuScorer(ABC):
    """What scores `n_items` on a GPU, a block of users at a time."""

    n_items: int

    @abstractmethod
    def score(self, X: csr_matrix, without_seen: bool = False) -> torch.Tensor:
        """Scores on the device, users × items; −inf at seen items where they are left out."""

    def recommend(
        self, X: csr_matrix, n: int, without_seen: bool, hidden: np.ndarray = ALL_SHOWN
    ) -> Ranking:
        """(indices, scores) of the n best per user, users × n; ties go to the lower index.

        hidden: see `hidden_items`.
        """
        left_out = torch.from_numpy(np.flatnonzero(hidden))

        def shown(users: csr_matrix) -> torch.Tensor:
            scores = self.score(users, without_seen)
            return scores.index_fill_(1, left_out.to(scores.device), -torch.inf)

        return rank_in_blocks(shown, X, n)

    def scores(self, X: csr_matrix) -> np.ndarray:
        """Scores, users × items, float32, from blocks of users."""
        scores = np.empty((X.shape[0], self.n_items), np.float32)
        fill_in_blocks(lambda users: (self.score(users),), X, (scores,))
        return scores


class GpuWeights(GpuScorer):
    """Weights B (items × items, float32) on `device`: scores x·B."""

    def __init__(self, weights: np.ndarray, device):
        self.weights, self.n_items = torch.from_numpy(weights).to(device), len(weights)

    def score(self, X: csr_matrix, without_seen: bool = False) -> torch.Tensor:
        """See GpuScorer."""
        scores = torch.sparse.mm(on_device(X, self.weights.device), self.weights)
        return leave_out(scores, X, 0.0, without_seen)


class GpuIndex(GpuScorer):
    """Rows (items × width) on `device`, as SparseIndex has them on a CPU; dense rows too."""

    def __init__(self, rows: csr_matrix, encoder: csr_matrix, own: np.ndarray, device, dense: bool):
        """rows, encoder: items × width; own: each item's part in its own score. See SparseIndex."""
        self.device, self.n_items = torch.device(device), rows.shape[0]
        self.own = torch.from_numpy(own).to(self.device)
        self.rows, self.encoder = (self._placed(matrix, dense) for matrix in (rows, encoder))

    def score(self, X: csr_matrix, without_seen: bool = False) -> torch.Tensor:
        """See GpuScorer: x·A·Aᵀ − x."""
        latents = torch.sparse.mm(self._placed(X, False), self.encoder)
        if latents.is_sparse or latents.layout == torch.sparse_csr:
            latents = latents.to_dense()
        scores = torch.sparse.mm(self.rows, latents.T.contiguous()).T.contiguous()
        return leave_out(scores, X, self.own, without_seen)

    def _placed(self, matrix: csr_matrix, dense: bool) -> torch.Tensor:
        if dense:
            return torch.from_numpy(matrix.toarray()).to(self.device)
        return on_device(matrix, self.device)


def rank_in_blocks(score: Callable[[csr_matrix], torch.Tensor], X: csr_matrix, n: int) -> Ranking:
    """(indices, scores) of the n best of `score(users)`, from blocks of users of X."""
    ranking = empty_ranking(X.shape[0], min(n, X.shape[1]))
    most = ranking[0].shape[1]
    fill_in_blocks(lambda users: ranked(score(users), most), X, ranking)
    return ranking


def fill_in_blocks(
    compute: Callable[[csr_matrix], tuple[torch.Tensor, ...]],
    X: csr_matrix,
    arrays: tuple[np.ndarray, ...],
) -> None:
    """Put what `compute(users)` gives into `arrays`, a block of users of X at a time.

    Fewer where the memory is short. Raises torch's error if not even one has room.
    """
    at_once, first = max(1, SCORES_AT_ONCE // X.shape[1]), 0
    while first < X.shape[0]:
        block = slice(first, first + at_once)
        try:
            found = compute(X[block])
        except RuntimeError as error:
            if at_once == 1 or not is_out_of_memory(error):
                raise
            at_once //= 2
            continue
        for whole, part in zip(arrays, found, strict=True):
            whole[block] = part.cpu().numpy()
        first += at_once


def on_device(matrix: csr_matrix, device: torch.device) -> torch.Tensor:
    """A sparse matrix of SciPy as one of torch, float32."""
    parts = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
    parts = (*map(torch.from_numpy, parts), torch.from_numpy(matrix.data.astype(np.float32)))
    with warnings.catch_warnings():  # torch says once that these tensors are in beta state
        warnings.simplefilter("ignore", UserWarning)
        placed = torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=False)
    return placed.to(device)


def leave_out(
    scores: torch.Tensor, X: csr_matrix, own: torch.Tensor | float, without_seen: bool
) -> torch.Tensor:
    """Scores less each seen item's `own` part, or −inf there; in place."""
    users = torch.from_numpy(np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)))
    users, items = users.to(scores.device), torch.from_numpy(X.indices).long().to(scores.device)
    weights = torch.from_numpy(X.data.astype(np.float32)).to(scores.device)
    part = own[items] if isinstance(own, torch.Tensor) else own
    less = scores[users, items] - weights * part
    if without_seen:  # a stored zero is no interaction
        less = torch.where(weights != 0, -torch.inf, less)
    scores[users, items] = less
    return scores


def ranked(scores: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(indices, scores) of the n largest per row, as `ranking.top_n` has them."""
    bits = (scores + 0.0).view(torch.int32).long()  # + 0: there is one zero
    ordered = torch.where(bits >= 0, bits, bits ^ 0x7FFFFFFF)
    n_items = scores.shape[1]
    keys = (ordered << 32) + torch.arange(n_items - 1, -1, -1, device=scores.device)
    best = torch.topk(keys, n, dim=1).values
    items = n_items - 1 - (best & 0xFFFFFFFF)
    values = scores.gather(1, items)
    return torch.where(torch.isinf(values), -1, items), values
