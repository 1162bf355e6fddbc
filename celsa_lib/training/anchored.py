"""Rows anchored at items: each holds its own latent and those of its closest items.

With P = (XᵀX + λI)⁻¹ the partial correlation of items i and j is r_ij = −P_ij/√(P_ii·P_jj)
(Steck 2019 learns EASE's weights from the same P). P is inverted for each item and its neighbours
alone, so the cost grows with the items, not with their cube; or whole, to see what that gives up.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels.cooccurrence import (
    count_row_lengths,
    count_together,
    gram_blocks,
    strongest_neighbours,
)
from celsa_lib.kernels.gpu_cooccurrence import (
    bytes_of_counts,
    closest_items,
    counts_together,
    grams_of,
)
from celsa_lib.training.device import rounded_products
from celsa_lib.training.memory import free_memory
from celsa_lib.training.options import NEIGHBOURS, SHRINK, STRENGTH
from celsa_lib.training.rows import Rows, ranks_in_rows

BLOCKS = 2**25  # entries of the blocks that are inverted at once


class Neighbourhoods(NamedTuple):
    """partial: r_ij above 0, items × items, sparse, symmetric, no diagonal; precision: P_ii."""

    partial: csr_matrix
    precision: np.ndarray


class CountsOnCpu:
    """Who has seen what with what, by loops over the interactions of X (users × items)."""

    def __init__(self, X: csr_matrix):
        by_item = X.tocsc()
        by_item.sort_indices()
        data = X.indptr, X.indices, by_item.indptr, by_item.indices
        starts = np.cumsum(count_row_lengths(*data))
        self.popularity = np.diff(by_item.indptr).astype(np.float32)
        self.counts = starts, *count_together(*data, starts), self.popularity

    def closest(self, n_neighbours: int) -> np.ndarray:
        """The items of largest shrunk cosine with each item, −1 where none is."""
        return strongest_neighbours(*self.counts, np.float32(SHRINK), n_neighbours)

    def blocks(self, members: np.ndarray, reg: float) -> torch.Tensor:
        """XᵀX + reg·I of each row of `members`."""
        return torch.from_numpy(gram_blocks(*self.counts, members, np.float32(reg)))


class CountsOnGpu:
    """The same by dense products on `device`, which holds items × items."""

    def __init__(self, X: csr_matrix, device: torch.device):
        with rounded_products("tf32"):
            self.counts = counts_together(X, device)

    def closest(self, n_neighbours: int) -> np.ndarray:
        """See CountsOnCpu."""
        return closest_items(self.counts, SHRINK, n_neighbours).int().cpu().numpy()

    def blocks(self, members: np.ndarray, reg: float) -> torch.Tensor:
        """See CountsOnCpu."""
        return grams_of(self.counts, torch.from_numpy(members).to(self.counts.device).long(), reg)


def counts_of(X: csr_matrix, device: torch.device) -> CountsOnCpu | CountsOnGpu:
    """Counts on a GPU that has room for them; else, also for many items, on the CPU."""
    memory = free_memory(device)
    if memory is None or bytes_of_counts(X.shape[1]) > memory[0]:
        return CountsOnCpu(X)
    return CountsOnGpu(X, device)


def neighbourhoods(
    X: csr_matrix, reg: float, device: torch.device, n_neighbours: int = NEIGHBOURS
) -> Neighbourhoods:
    """Partial correlations of the items of X (users × items) with their closest neighbours.

    Where the blocks of two items differ on their r, the larger is kept; only positive ones are.
    With as many neighbours as items P is inverted whole: items × items numbers.
    """
    counts, n_items = counts_of(X, device), X.shape[1]
    if n_neighbours >= n_items:
        return _of_whole_inverse(counts, n_items, reg, device)
    found = counts.closest(min(n_neighbours, n_items - 1))
    members = np.concatenate([np.arange(n_items, dtype=np.int32)[:, None], found], axis=1)
    partial, precision = np.empty(found.shape, np.float32), np.empty(n_items, np.float32)
    at_once = max(1, BLOCKS // members.shape[1] ** 2)
    for first in range(0, n_items, at_once):
        part = slice(first, first + at_once)
        P = torch.linalg.inv(counts.blocks(members[part], reg).to(device))
        diagonal = P.diagonal(dim1=1, dim2=2)
        r = -P[:, 0, 1:] / (diagonal[:, :1] * diagonal[:, 1:]).sqrt()
        partial[part], precision[part] = r.cpu().numpy(), diagonal[:, 0].cpu().numpy()
    there = found >= 0
    rows = np.repeat(np.arange(n_items), there.sum(axis=1))
    r = csr_matrix((partial[there], (rows, found[there])), shape=(n_items, n_items))
    r = r.maximum(r.T).tocsr()
    r.data = np.maximum(r.data, 0.0)
    r.eliminate_zeros()
    return Neighbourhoods(r, precision)


def _of_whole_inverse(
    counts: CountsOnCpu | CountsOnGpu, n_items: int, reg: float, device: torch.device
) -> Neighbourhoods:
    every = np.arange(n_items, dtype=np.int32)[None]
    P = torch.linalg.inv(counts.blocks(every, reg)[0].to(device))
    precision = P.diagonal().clone()
    root = precision.sqrt()
    r = P.neg_().div_(root[:, None]).div_(root).clamp_(min=0.0).fill_diagonal_(0.0)
    return Neighbourhoods(csr_matrix(r.cpu().numpy()), precision.cpu().numpy())


def anchored_rows(
    near: Neighbourhoods, nnz: int, floor: int, scales: bool, device: torch.device
) -> Rows:
    """Rows of `nnz` nonzeros on average and at least `floor`, each with its own latent.

    Beyond the floor the largest r_ij/√P_ii of the whole matrix are kept: the values as scores have
    them, since s_i, the scale of what is predicted of item i, starts in proportion to 1/√P_ii.
    """
    r = near.partial
    n_items = r.shape[0]
    row = np.repeat(np.arange(n_items), np.diff(r.indptr))
    size = r.data / np.sqrt(near.precision)[row]
    kept = ranks_in_rows(-size, r.indptr) < floor - 1
    left = max(0, (nnz - 1) * n_items - int(kept.sum()))
    others = np.flatnonzero(~kept)
    kept[others[np.argsort(-size[others], kind="stable")[:left]]] = True
    matrix = csr_matrix((STRENGTH * r.data[kept], (row[kept], r.indices[kept])), r.shape)
    matrix = (matrix + csr_matrix((np.ones(n_items), (np.arange(n_items),) * 2))).tocsr()
    matrix.sort_indices()
    to = lambda array, dtype: torch.from_numpy(array.astype(dtype)).to(device)  # noqa: E731
    rows = Rows(
        to(matrix.data, np.float32), to(matrix.indices, np.int32), n_items,
        to(matrix.indptr, np.int32),
    )  # fmt: skip
    if scales:
        rows.scales = torch.zeros(6, n_items, device=device)
        output = -0.5 * np.log(near.precision)
        rows.scales[0] = to(output - np.log(np.exp(output).mean()), np.float32)
    return rows
