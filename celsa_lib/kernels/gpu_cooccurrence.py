"""Who has been seen with whom, by dense products on a GPU; results are those of the CPU's loops.

Counts are whole numbers below 2²⁴, so products of 0 and 1 are exact, in TF32 too.
"""

import numpy as np
import torch
from scipy.sparse import csr_matrix

USERS_AT_ONCE = 2**27  # users × items that are written out at once
SORTED_AT_ONCE = 2**25  # items × items


def counts_together(X: csr_matrix, device: torch.device) -> torch.Tensor:
    """XᵀX of a binary X (users × items), items × items, float32, on `device`."""
    n_users, n_items = X.shape
    counts = torch.zeros(n_items, n_items, device=device)
    at_once = max(1, USERS_AT_ONCE // n_items)
    for first in range(0, n_users, at_once):
        users = X[first : first + at_once]
        rows = np.repeat(np.arange(users.shape[0]), np.diff(users.indptr))
        places = torch.from_numpy(rows * n_items + users.indices).to(device)
        seen = torch.zeros(users.shape[0] * n_items, device=device)
        seen[places] = 1.0
        seen = seen.view(-1, n_items)
        counts.addmm_(seen.T, seen)
    return counts


def bytes_of_counts(n_items: int) -> int:
    """Bytes on a GPU that `counts_together`, and what is done with its result, take at most."""
    written_out = max(USERS_AT_ONCE, n_items)
    return 4 * (n_items**2 + 2 * written_out) + 48 * max(SORTED_AT_ONCE, n_items)


def closest_items(counts: torch.Tensor, shrink: float, n_neighbours: int) -> torch.Tensor:
    """The items of largest shrunk cosine with each item, items × n_neighbours, −1 where none is.

    Of equal ones the first.
    """
    popularity = counts.diagonal() + shrink
    found = []
    at_once = max(1, SORTED_AT_ONCE // len(counts))
    for first in range(0, len(counts), at_once):
        part = slice(first, first + at_once)
        strength = counts[part] / (popularity[part, None] * popularity).sqrt_()
        strength.diagonal(first).zero_()
        strength, order = torch.sort(strength, dim=1, descending=True, stable=True)
        best = slice(None), slice(n_neighbours)
        found.append(torch.where(strength[best] > 0, order[best], -1))
    return torch.cat(found)


def grams_of(counts: torch.Tensor, members: torch.Tensor, reg: float) -> torch.Tensor:
    """XᵀX + reg·I of each row of `members` (blocks × size items); −1: a row of the identity."""
    there = members >= 0
    both = there[:, :, None] & there[:, None, :]
    blocks = torch.where(both, counts[members[:, :, None], members[:, None, :]], 0.0)
    blocks.diagonal(dim1=1, dim2=2).add_(torch.where(there, reg, 1.0))
    return blocks


def kept_entries(
    starts: np.ndarray, sizes: np.ndarray, of_row: int, most: int, device: torch.device
) -> np.ndarray:
    """Which of `sizes` (float32, rows starting at starts[i]) are kept: the `of_row` largest of each
    row, then the largest of the others until `most` are; of equal ones the first.
    """
    starts = torch.from_numpy(starts.astype(np.int64)).to(device)
    row = torch.repeat_interleave(starts.diff(), output_size=len(sizes))
    by_size = torch.argsort(torch.from_numpy(sizes).to(device), descending=True, stable=True)
    in_rows = by_size[torch.argsort(row[by_size], stable=True)]
    rank = torch.empty_like(row)
    rank[in_rows] = torch.arange(len(row), device=device) - starts[row[in_rows]]
    kept = rank < of_row
    others = by_size[~kept[by_size]]
    kept[others[: max(0, most - int(kept.sum()))]] = True
    return kept.cpu().numpy()
