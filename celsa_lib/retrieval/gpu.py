"""Scores and top-n on a GPU: blocks of users, sparse products, and a ranking that knows ties."""

import logging
import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.retrieval.ranking import SCORES_AT_ONCE, empty_ranking

log = logging.getLogger(__name__)

Ranking = tuple[np.ndarray, np.ndarray]
Found = TypeVar("Found")


class GpuIndex:
    """Rows (items × width) on `device`, as SparseIndex has them on a CPU; dense rows too."""

    def __init__(self, rows: csr_matrix, encoder: csr_matrix, own: np.ndarray, device, dense: bool):
        """rows, encoder: items × width; own: each item's part in its own score. See SparseIndex."""
        self.device, self.n_items = torch.device(device), rows.shape[0]
        self.own = torch.from_numpy(own).to(self.device)
        self.rows, self.encoder = (self._placed(matrix, dense) for matrix in (rows, encoder))

    def recommend(self, X: csr_matrix, n: int, without_seen: bool) -> Ranking:
        """(indices, scores) of the n best per user, users × n; ties go to the lower index."""
        return rank_in_blocks(lambda users: self.score(users, without_seen), X, n)

    def scores(self, X: csr_matrix) -> np.ndarray:
        """x·A·Aᵀ − x, users × items, float32, from blocks of users."""
        scores = np.empty((X.shape[0], self.n_items), np.float32)
        fill_in_blocks(lambda users: (self.score(users),), X, (scores,))
        return scores

    def score(self, X: csr_matrix, without_seen: bool = False) -> torch.Tensor:
        """x·A·Aᵀ − x on the device, users × items; −inf at seen items where they are left out."""
        latents = torch.sparse.mm(self._placed(X, False), self.encoder)
        if latents.is_sparse or latents.layout == torch.sparse_csr:
            latents = latents.to_dense()
        scores = torch.sparse.mm(self.rows, latents.T.contiguous()).T.contiguous()
        return leave_out(scores, X, self.own, without_seen)

    def _placed(self, matrix: csr_matrix, dense: bool) -> torch.Tensor:
        if dense:
            return torch.from_numpy(matrix.toarray()).to(self.device)
        return on_device(matrix, self.device)


def rank_in_blocks(
    score: Callable[[csr_matrix], torch.Tensor], X: csr_matrix, n: int, at_once: int | None = None
) -> Ranking:
    """(indices, scores) of the n best of `score(users)`, from blocks of users of X."""
    ranking = empty_ranking(X.shape[0], min(n, X.shape[1]))
    most = ranking[0].shape[1]
    fill_in_blocks(lambda users: ranked(score(users), most), X, ranking, at_once)
    return ranking


def fill_in_blocks(
    compute: Callable[[csr_matrix], tuple[torch.Tensor, ...]],
    X: csr_matrix,
    arrays: tuple[np.ndarray, ...],
    at_once: int | None = None,
) -> None:
    """Put what `compute(users)` gives into `arrays`, `at_once` users of X at a time.

    Fewer where the memory is short. Raises torch.OutOfMemoryError if not even one has room.
    """
    at_once, first = at_once or max(1, SCORES_AT_ONCE // X.shape[1]), 0
    while first < X.shape[0]:
        block = slice(first, first + at_once)
        try:
            found = compute(X[block])
        except torch.OutOfMemoryError:
            if at_once == 1:
                raise
            at_once //= 2
            continue
        for whole, part in zip(arrays, found, strict=True):
            whole[block] = part.cpu().numpy()
        first += at_once


def where_it_fits(compute: Callable[[], Found]) -> Found | None:
    """What `compute` gives; None, for a CPU to do it, where a GPU has no room for it."""
    try:
        return compute()
    except torch.OutOfMemoryError as error:
        log.warning("scoring on the CPU, as the GPU has no room: %s", str(error).splitlines()[0])
    return None


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
