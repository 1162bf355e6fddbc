"""Batches of users that stay sparse: item lists, never a users × items array."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class UserBatch:
    """The histories of `size` users, concatenated.

    items: (interactions,) int64 item indices; rows: (interactions,) int64 position of the user in
    the batch; offsets: (size,) int64 start of each user's items; lengths: (size,) float32.
    """

    items: torch.Tensor
    rows: torch.Tensor
    offsets: torch.Tensor
    lengths: torch.Tensor

    @property
    def size(self) -> int:
        """Number of users in the batch."""
        return len(self.offsets)


def user_batch(X: csr_matrix, users: np.ndarray, device: torch.device) -> UserBatch:
    """The batch of the rows `users` of X (users × items, CSR)."""
    rows = X[users]
    lengths = np.diff(rows.indptr)
    to = lambda array, dtype: torch.from_numpy(array.astype(dtype)).to(device)  # noqa: E731
    return UserBatch(
        items=to(rows.indices, np.int64),
        rows=to(np.repeat(np.arange(len(users)), lengths), np.int64),
        offsets=to(rows.indptr[:-1], np.int64),
        lengths=to(lengths, np.float32),
    )


def shuffled_batches(
    X: csr_matrix, batch_size: int, rng: np.random.Generator, device: torch.device
) -> Iterator[UserBatch]:
    """One epoch: every user with a history once, in an order drawn from `rng`."""
    users = rng.permutation(np.flatnonzero(np.diff(X.indptr)))
    for start in range(0, len(users), batch_size):
        yield user_batch(X, users[start : start + batch_size], device)
