"""Regrowth by gradient: the smallest entries of a row make way for others (RigL; Evci et al. 2020).

The gradient of the loss by entries that rows do not have is dense. It is taken between epochs, on
some users, and made for a block of rows at a time: no array of items × width is kept. Where
processes share the rows, each exchanges those of its own items: what all of them need, users'
latents, sums of scores and their gradient, is added up.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import norm

from celsa_lib.kernels.cooccurrence import ranks_in_rows
from celsa_lib.kernels.rows import TINY
from celsa_lib.training.backends.dense import gradient_of_scores
from celsa_lib.training.batches import UserBatch, of_items, user_batch, users_of_epoch
from celsa_lib.training.dropout import seeds_of
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows
from celsa_lib.training.shard import Shard

MOST_USERS = 1024  # whose loss the gradient is of, at most
MOST_ENTRIES = 2**24  # of their scores, and of the rows of a block, at most


def exchange(
    rows: Rows,
    optimiser: Nadam,
    share: float,
    X: csr_matrix,
    options: TrainingOptions,
    rng: np.random.Generator,
    shard: Shard | None = None,
) -> Rows:
    """`rows` with a share of each row's nonzeros exchanged: the smallest |values| for entries that
    the row does not have, those of the largest |gradient|. An anchored row keeps its own latent.

    These begin at 0, with moments of 0 in `optimiser`, which is changed in place. Where values are
    held at 0 or above, only entries grow that the gradient would raise. X: users × items, of which
    `rng` draws those whose loss it is; shard: whose rows these are, None: of all items. Where
    nothing can be exchanged these are `rows` themselves.
    """
    shard = shard or Shard((0, X.shape[1]))
    parts = rows.values.view(-1), rows.cols.reshape(-1), optimiser.m.view(-1), optimiser.v.view(-1)
    values, cols, *moments = (part.cpu().numpy().copy() for part in parts)
    starts = rows.row_starts().cpu().numpy()
    lengths = np.diff(starts)
    row = np.repeat(np.arange(len(lengths)), lengths)
    own = (cols == row + shard.first) & (rows.starts is not None) & (rows.width == X.shape[1])
    free = lengths - np.bincount(row[own], minlength=len(lengths))
    wanted = np.rint(share * lengths).astype(np.int64)
    most = np.minimum.reduce([wanted, free, rows.width - lengths])
    if not shard.anywhere(np.array([most.any()])):
        return rows
    batch = _some_users(X, options, optimiser.steps, rng)
    found = [
        _largest(_growing(gradient, options), block, most, cols, starts)
        for block, gradient in block_gradients(rows, batch, options.relu_cap, shard)
    ]
    counts, grown = (np.concatenate(part) for part in zip(*found, strict=True))
    smallness = np.where(own, -np.inf, -np.abs(values))
    dropped = ranks_in_rows(starts, smallness) < counts[row]
    cols[dropped] = grown
    for part in (values, *moments):
        part[dropped] = 0.0
    ascending = np.lexsort((cols, row))
    values, cols, m, v = (
        torch.from_numpy(part[ascending]).view(rows.values.shape).to(rows.values.device)
        for part in (values, cols, *moments)
    )
    optimiser.m.copy_(m), optimiser.v.copy_(v)
    return replace(rows, values=values, cols=cols)


def block_gradients(
    rows: Rows, batch: UserBatch, cap: float | None, shard: Shard | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Gradient of the loss of `batch` by the unit rows, also where they have no entry: (block of
    rows, gradient, rows of the block × width), one block after the other.

    In a row, by the values it is the same there, but for a factor. The batch is scored on all
    items; it is on a CPU. `cap`: see TrainingOptions; `shard`: see `exchange`.
    """
    values, cols, starts = (part.cpu().numpy() for part in rows.flat())
    n_items, kind = len(starts) - 1, values.dtype
    unit = csr_matrix((values, cols, starts), shape=(n_items, rows.width), copy=True)
    unit.data /= np.repeat(np.maximum(norm(unit, axis=1), TINY), np.diff(starts)).astype(kind)
    outer, inner = np.ones((2, n_items), kind)
    if rows.scales is not None:
        outer, inner = rows.scales[:2].exp().cpu().numpy()
    shard = shard or Shard((0, n_items))
    mine = of_items(batch, shard.first, shard.last)
    weights = inner[mine.items.numpy()]
    if mine.visible is not None:
        weights *= mine.visible.numpy()
    histories = mine.items.numpy(), mine.offsets.numpy()
    seen = csr_matrix((weights, *histories), shape=(batch.size, n_items))
    by_item = seen.T.tocsr()
    E = shard.group.total((seen @ unit).toarray())
    P = outer[:, None] * (unit @ E.T - by_item.toarray())  # items × users
    scores = torch.from_numpy(P).T.clamp_(min=0.0, max=cap)
    alpha, _ = gradient_of_scores(scores, mine, cap, shard)
    P *= alpha.numpy()
    P *= outer[:, None]
    D = shard.group.total(np.ascontiguousarray((unit.T @ P).T))
    size = max(1, MOST_ENTRIES // rows.width)
    for first in range(0, n_items, size):
        block = slice(first, min(first + size, n_items))
        yield block, P[block] @ E + by_item[block] @ D


def _some_users(
    X: csr_matrix, options: TrainingOptions, step: int, rng: np.random.Generator
) -> UserBatch:
    """Users drawn as for an epoch, with what the step after `step` hides of their histories."""
    users = users_of_epoch(X, options.length_exponent, rng)
    users = users[: min(MOST_USERS, max(1, MOST_ENTRIES // X.shape[1]))]
    seed = int(seeds_of(options.seed, step, 1)[0])
    hidden = (seed, options.dropout) if options.dropout else None
    return user_batch(X, users, torch.device("cpu"), dropout=hidden)


def _growing(gradient: np.ndarray, options: TrainingOptions) -> np.ndarray:
    """How much each entry asks to grow, 0 for one that may not."""
    return np.maximum(-gradient, 0.0) if options.non_negative else np.abs(gradient)


def _largest(
    sizes: np.ndarray, block: slice, most: np.ndarray, cols: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(how many of each row of the block, at most `most`, their columns, row after row): those of
    the largest `sizes` above 0 that the row does not have.
    """
    starts, most = starts[block.start : block.stop + 1], most[block]
    there = np.repeat(np.arange(len(most)), np.diff(starts))
    sizes[there, cols[starts[0] : starts[-1]]] = 0.0
    largest, columns = map(torch.Tensor.numpy, torch.topk(torch.from_numpy(sizes), most.max()))
    taken = (np.arange(most.max()) < most[:, None]) & (largest > 0)
    return taken.sum(axis=1), columns[taken]
