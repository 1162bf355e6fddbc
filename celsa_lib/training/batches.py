"""Batches of users that stay sparse: item lists, never a users × items array."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.training.dropout import dropped


@dataclass(frozen=True)
class UserBatch:
    """The histories of `size` users, concatenated, and the items their scores are compared on.

    items: (interactions,) int64 item indices; rows: (interactions,) int64 position of the user in
    the batch; visible: (interactions,) bool, what the encoder sees of them, None: all; offsets:
    (size + 1,) int64 where each user's items start and the last ones end; lengths: (size,) float32;
    outputs: (outputs,) int64 items that are scored, all those seen among them; positions:
    (interactions,) int64 place of each of `items` in `outputs`; whole: whether `outputs` is every
    item, in order.
    """

    items: torch.Tensor
    rows: torch.Tensor
    offsets: torch.Tensor
    lengths: torch.Tensor
    outputs: torch.Tensor
    positions: torch.Tensor
    whole: bool
    visible: torch.Tensor | None = None

    @property
    def size(self) -> int:
        """Number of users in the batch."""
        return len(self.lengths)

    def parts(self, users: int) -> Iterator["UserBatch"]:
        """The batch itself, `users` of it at a time."""
        for first in range(0, self.size, users):
            last = min(first + users, self.size)
            start, stop = self.offsets[[first, last]].tolist()
            part = slice(start, stop)
            yield UserBatch(
                items=self.items[part],
                rows=self.rows[part] - first,
                offsets=self.offsets[first : last + 1] - start,
                lengths=self.lengths[first:last],
                outputs=self.outputs,
                positions=self.positions[part],
                whole=self.whole,
                visible=None if self.visible is None else self.visible[part],
            )


def user_batch(
    X: csr_matrix,
    users: np.ndarray,
    device: torch.device,
    outputs: np.ndarray | None = None,
    dropout: tuple[int, float] | None = None,
) -> UserBatch:
    """The batch of the rows `users` of X (users × items, CSR), scored on `outputs` (all items).

    `dropout`: seed and rate of what is dropped from the input, None: nothing.
    """
    histories = X[users]
    lengths = np.diff(histories.indptr)
    positions, whole = histories.indices, outputs is None
    if whole:
        outputs = np.arange(X.shape[1])
    else:
        place = np.zeros(X.shape[1], dtype=np.int64)
        place[outputs] = np.arange(len(outputs))
        positions = place[histories.indices]
    to = lambda array, dtype=np.int64: torch.from_numpy(array.astype(dtype)).to(device)  # noqa: E731
    return UserBatch(
        items=to(histories.indices),
        rows=to(np.repeat(np.arange(len(users)), lengths)),
        offsets=to(histories.indptr),
        lengths=to(lengths, np.float32),
        outputs=to(outputs),
        positions=to(positions),
        whole=whole,
        visible=None if dropout is None else to(~_dropped_of(X, users, *dropout), bool),
    )


def of_items(batch: UserBatch, first: int, last: int) -> UserBatch:
    """What a batch that is scored on all items has of the items first … last − 1, counted from the
    first of them; `lengths` stay those of whole histories.
    """
    own = (batch.items >= first) & (batch.items < last)
    before = torch.cat([own.new_zeros(1, dtype=torch.int64), own.cumsum(0)])
    return replace(
        batch,
        items=batch.items[own] - first,
        rows=batch.rows[own],
        offsets=before[batch.offsets],
        outputs=batch.outputs[: last - first],
        positions=batch.positions[own] - first,
        visible=None if batch.visible is None else batch.visible[own],
    )


def _dropped_of(X: csr_matrix, users: np.ndarray, seed: int, rate: float) -> np.ndarray:
    """Which of the users' interactions are dropped; each is known by its place in X."""
    lengths = np.diff(X.indptr)[users]
    shifts = X.indptr[users] - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return dropped(np.repeat(shifts, lengths) + np.arange(lengths.sum()), seed, rate)


def users_of_epoch(X: csr_matrix, length_exponent: float, rng: np.random.Generator) -> np.ndarray:
    """The users of an epoch in random order, as many as have a history.

    Each once, or on average in proportion to (length of the history)^`length_exponent`: by
    systematic sampling, so one comes as often as expected, rounded down or up.
    """
    lengths = np.diff(X.indptr)
    users = rng.permutation(np.flatnonzero(lengths))
    if not length_exponent:
        return users
    ends = np.cumsum(lengths[users].astype(float) ** length_exponent)
    places = (rng.random() + np.arange(len(users))) * (ends[-1] / len(users))
    return rng.permutation(
        users[np.searchsorted(ends, places, side="right").clip(max=len(users) - 1)]
    )


def most_interactions(X: csr_matrix, length_exponent: float, n_users: int) -> int:
    """What `n_users` of `users_of_epoch` have at most, or all of an epoch if they are fewer.

    Each user comes as often as expected, and once more; with exponent 0 once.
    """
    lengths = np.diff(X.indptr)
    drawn, often = np.count_nonzero(lengths), np.ones(len(lengths), np.int64)
    if length_exponent:
        shares = lengths.astype(float) ** length_exponent
        often += np.floor(shares * (drawn / shares.sum())).astype(np.int64)
    if n_users >= drawn:
        return int(often @ lengths)
    return int(np.sort(np.repeat(lengths, often))[-n_users:].sum())


def shuffled_batches(
    X: csr_matrix,
    batch_size: int,
    rng: np.random.Generator,
    device: torch.device,
    length_exponent: float = 0.0,
    max_outputs: int | None = None,
    repeat_negatives: bool = False,
    dropouts: Iterable[tuple[int, float] | None] = repeat(None),
) -> Iterator[UserBatch]:
    """One epoch: the users of `users_of_epoch`, cut into batches.

    `max_outputs`, `repeat_negatives`: see TrainingOptions; `dropouts`: see user_batch, per batch.
    """
    users = users_of_epoch(X, length_exponent, rng)
    for start, dropout in zip(range(0, len(users), batch_size), dropouts, strict=False):
        part = users[start : start + batch_size]
        outputs = drawn_outputs(X, part, max_outputs, repeat_negatives, rng)
        yield user_batch(X, part, device, outputs, dropout)


def drawn_outputs(X: csr_matrix, users: np.ndarray, limit: int | None, repeat: bool, rng):
    """The items the batch has seen, filled up with others to `limit`; None means all."""
    if limit is None or limit >= X.shape[1]:
        return None
    seen = np.unique(X[users].indices)
    unseen = np.setdiff1d(np.arange(X.shape[1]), seen, assume_unique=True)
    others = rng.choice(unseen, max(0, limit - len(seen)), replace=repeat)
    return np.sort(np.concatenate([seen, others]))
