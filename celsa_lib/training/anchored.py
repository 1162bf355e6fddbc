"""Rows anchored at items: each holds its own latent and those of its closest items.

With P = (XᵀX + λI)⁻¹ the partial correlation of items i and j is r_ij = −P_ij/√(P_ii·P_jj)
(Steck 2019 learns EASE's weights from the same P). P is inverted for each item and its neighbours
alone, so the cost grows with the items, not with their cube; or whole, to see what that gives up.
"""

from typing import NamedTuple

import numpy as np
import torch
from numba import get_num_threads
from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.kernels.cooccurrence import gram_blocks, ranks_in_rows, strongest_neighbours
from celsa_lib.kernels.gpu_cooccurrence import (
    bytes_of_counts,
    closest_items,
    counts_together,
    grams_of,
    kept_entries,
)
from celsa_lib.kernels.room import where_it_fits
from celsa_lib.training.device import rounded_products
from celsa_lib.training.memory import free_memory
from celsa_lib.training.options import NEIGHBOURS, SHRINK, STRENGTH
from celsa_lib.training.rows import Rows

BLOCKS = 2**25  # entries of the blocks that are inverted at once
COUNTED = 2**27  # entries of the blocks for which a CPU counts at once: 512 MiB


class Neighbourhoods(NamedTuple):
    """partial: r_ij above 0, items × items, sparse, symmetric, no diagonal; precision: P_ii."""

    partial: csr_matrix
    precision: np.ndarray


class CountsOnCpu:
    """Who has seen what with what, by loops over the interactions of X (users × items).

    An item's counts are made anew for each COUNTED entries of blocks that it has a part in, and
    forgotten: the memory does not grow with the pairs of items.
    """

    at_once = COUNTED

    def __init__(self, X: csr_matrix):
        by_item = X.tocsc()
        by_item.sort_indices()
        popularity = np.diff(by_item.indptr).astype(np.float32)
        self.data = X.indptr, X.indices, by_item.indptr, by_item.indices, popularity

    def closest(self, n_neighbours: int, asked: np.ndarray) -> np.ndarray:
        """The items of largest shrunk cosine with each of `asked` (int32), −1 where none is."""
        of = np.float32(SHRINK), asked, n_neighbours, get_num_threads()
        return strongest_neighbours(*self.data, *of)

    def blocks(self, members: np.ndarray, reg: float) -> torch.Tensor:
        """XᵀX + reg·I of each row of `members`."""
        order = np.argsort(members, axis=None, kind="stable")
        item = members.ravel()[order]
        order = order[np.searchsorted(item, 0) :]
        changes = np.flatnonzero(np.diff(members.ravel()[order])) + 1
        begins = np.concatenate([[0], changes, [len(order)]])
        blocks = gram_blocks(*self.data, members, order, begins, np.float32(reg), get_num_threads())
        return torch.from_numpy(blocks)


class CountsOnGpu:
    """The same by dense products on `device`, which holds items × items."""

    at_once = BLOCKS

    def __init__(self, X: csr_matrix, device: torch.device):
        with rounded_products("tf32"):
            self.counts = counts_together(X, device)

    def closest(self, n_neighbours: int, asked: np.ndarray) -> np.ndarray:
        """See CountsOnCpu."""
        return closest_items(self.counts, SHRINK, n_neighbours).int().cpu().numpy()[asked]

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
    With as many neighbours as items P is inverted whole: items × items numbers. On the CPU where a
    GPU has no room.
    """
    found = where_it_fits(
        lambda: _neighbourhoods(X, reg, device, n_neighbours), "looking for neighbours"
    )
    return found or _neighbourhoods(X, reg, torch.device("cpu"), n_neighbours)


def _neighbourhoods(
    X: csr_matrix, reg: float, device: torch.device, n_neighbours: int
) -> Neighbourhoods:
    counts, n_items = counts_of(X, device), X.shape[1]
    if n_neighbours >= n_items:
        return _of_whole_inverse(counts, n_items, reg, device)
    everyone = np.arange(n_items, dtype=np.int32)
    r, precision = _of_blocks(counts, everyone, n_items, reg, device, n_neighbours)
    return Neighbourhoods(r.maximum(r.T).tocsr(), precision)


def neighbourhoods_of(
    asked: np.ndarray, X: csr_matrix, reg: float, device: torch.device, n_neighbours: int
) -> Neighbourhoods:
    """The same of the items `asked` alone, by their own blocks: asked × items, and their P_ii."""
    counts, n_items = counts_of(X, device), X.shape[1]
    most = min(n_neighbours, n_items - 1)
    found = _of_blocks(counts, asked.astype(np.int32), n_items, reg, device, most)
    return Neighbourhoods(*found)


def _of_blocks(
    counts: CountsOnCpu | CountsOnGpu,
    asked: np.ndarray,
    n_items: int,
    reg: float,
    device: torch.device,
    n_neighbours: int,
) -> tuple[csr_matrix, np.ndarray]:
    """(r_ij above 0, asked × items; P_ii) of the block of each item of `asked`."""
    found = counts.closest(n_neighbours, asked)
    partial, precision = np.empty(found.shape, np.float32), np.empty(len(asked), np.float32)
    entries = (found.shape[1] + 1) ** 2
    for counted in _parts(len(asked), counts.at_once // entries):
        members = np.concatenate([asked[counted, None], found[counted]], axis=1)
        blocks = counts.blocks(members, reg)
        for some in _parts(len(blocks), BLOCKS // entries):
            part = slice(counted.start + some.start, counted.start + some.stop)
            P = torch.linalg.inv(blocks[some].to(device))
            diagonal = P.diagonal(dim1=1, dim2=2)
            r = -P[:, 0, 1:] / (diagonal[:, :1] * diagonal[:, 1:]).sqrt()
            partial[part], precision[part] = r.cpu().numpy(), diagonal[:, 0].cpu().numpy()
    kept = (found >= 0) & (partial > 0)
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    r = csr_matrix((partial[kept], found[kept], starts), (len(asked), n_items))
    r.sort_indices()
    return r, precision


def _parts(length: int, size: int) -> list[slice]:
    """0 … `length` in slices of at most `size`, at least 1."""
    size = max(1, size)
    return [slice(n, min(n + size, length)) for n in range(0, length, size)]


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
    row = np.repeat(np.arange(n_items, dtype=np.int32), np.diff(r.indptr))
    size = r.data / np.sqrt(near.precision)[row]
    kept = _kept(r.indptr, size, floor - 1, (nnz - 1) * n_items, device)
    starts = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=n_items))])
    matrix = csr_matrix((STRENGTH * r.data[kept], r.indices[kept], starts), r.shape)
    matrix = (matrix + csr_matrix((np.ones(n_items), (np.arange(n_items),) * 2))).tocsr()
    matrix.sort_indices()
    output = None
    if scales:
        output = -0.5 * np.log(near.precision)
        output -= np.log(np.exp(output).mean())
    return _as_rows(matrix, output, device)


def rows_of(embeddings: ItemEmbeddings, scales: bool, device: torch.device) -> Rows:
    """Rows to go on from: those of `embeddings`, of unit norm, with their scales or without."""
    if not scales:
        return _as_rows(embeddings.unit.matrix, None, device)
    rows = _as_rows(embeddings.unit.matrix, np.log(embeddings.norms), device)
    if embeddings.input_scales is not None:
        rows.scales[1] = torch.from_numpy(np.log(embeddings.input_scales)).to(device)
    return rows


def _as_rows(matrix: csr_matrix, output: np.ndarray | None, device: torch.device) -> Rows:
    """Rows with the nonzeros of `matrix`; `output`: log s, where there are scales."""
    to = lambda array, dtype: torch.from_numpy(array.astype(dtype)).to(device)  # noqa: E731
    n_items, width = matrix.shape
    parts = to(matrix.data, np.float32), to(matrix.indices, np.int32)
    rows = Rows(*parts, width, to(matrix.indptr, np.int32))
    if output is not None:
        rows.scales = torch.zeros(6, n_items, device=device)
        rows.scales[0] = to(output, np.float32)
    return rows


def _kept(
    starts: np.ndarray, size: np.ndarray, of_row: int, most: int, device: torch.device
) -> np.ndarray:
    """See `kept_entries`: on a GPU, or by a CPU's loops, which need no more memory than `size`."""
    if device.type == "cuda":
        compute = lambda: kept_entries(starts, size, of_row, most, device)  # noqa: E731
        found = where_it_fits(compute, "choosing neighbours")
        if found is not None:
            return found
    kept = ranks_in_rows(starts, size) < of_row
    return kept | _largest(size, ~kept, max(0, most - int(kept.sum())))


def _largest(size: np.ndarray, among: np.ndarray, n: int) -> np.ndarray:
    """Which are the `n` largest of `size` where `among` is true, of equal ones the first."""
    chosen = size[among]
    if n >= len(chosen):
        return among
    if not n:
        return np.zeros_like(among)
    least = np.partition(chosen, len(chosen) - n)[len(chosen) - n]
    above, equal = among & (size > least), np.flatnonzero(among & (size == least))
    above[equal[: n - int(above.sum())]] = True
    return above
