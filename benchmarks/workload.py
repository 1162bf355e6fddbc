"""Synthetic interactions and rows of a given size: what the benchmarks train and serve."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.training.objective import unit_rows
from celsa_lib.training.rows import Rows


@dataclass(frozen=True)
class Case:
    """A batch of `users` with `history` items each, out of `items`, and rows of `nnz` in `width`.

    `outputs`: items scored, all without it.
    """

    nnz: int = 16
    items: int = 10_000
    users: int = 1_024
    history: int = 71
    width: int = 4_096
    outputs: int | None = None

    def interactions(self, seed: int = 0) -> csr_matrix:
        """users × items, binary; an item's popularity falls with its rank to the power 0.7."""
        rng = np.random.default_rng(seed)
        log_share = -0.7 * np.log(np.arange(1, self.items + 1))
        seen = np.empty((self.users, self.history), dtype=np.int64)
        for user in range(self.users):  # the largest of log share + Gumbel noise: no replacement
            keys = log_share + rng.gumbel(size=self.items)
            seen[user] = np.sort(np.argpartition(-keys, self.history)[: self.history])
        indptr = np.arange(self.users + 1) * self.history
        ones = np.ones(seen.size, dtype=np.float32)
        return csr_matrix((ones, seen.ravel(), indptr), shape=(self.users, self.items))

    def rows(self, seed: int = 1) -> Rows:
        """Random unit rows with `nnz` columns each, drawn without replacement."""
        rng = np.random.default_rng(seed)
        cols = np.empty((self.items, self.nnz), dtype=np.int32)
        for item in range(self.items):
            cols[item] = np.sort(rng.choice(self.width, self.nnz, replace=False, shuffle=False))
        values = rng.standard_normal(cols.shape, dtype=np.float32)
        return Rows(unit_rows(torch.from_numpy(values)), torch.from_numpy(cols), self.width)
