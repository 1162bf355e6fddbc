"""Products over the nonzeros alone, each process with the rows of its items; see `Shard`.

A step sends users' latents to whoever has rows with these columns, as lists; adds up two numbers
per user, from which the loss and its norms follow; and sends the gradients of the latents back,
whose places are known by then. Rows, moments and scores never leave their process.
"""

from typing import NamedTuple

import numpy as np
import torch
from numba import get_num_threads

from celsa_lib.kernels import shard_step as loops
from celsa_lib.kernels.columns import by_columns, in_order
from celsa_lib.kernels.rows import add_up_gradient
from celsa_lib.kernels.simd import LANES, aligned
from celsa_lib.kernels.sparse_step import PAD
from celsa_lib.training.backends.protocol import Memory
from celsa_lib.training.batches import UserBatch
from celsa_lib.training.rows import Rows
from celsa_lib.training.shard import Shard

# Bytes of scores that wait for the sums of other processes: so few that they stay in a cache that
# processes share, as each is read again for every nonzero of its item.
SCORES_HELD = 2**22


class _Part(NamedTuple):
    """What a batch has of own items: see `own_histories`; outputs: own ones that are scored."""

    indptr: np.ndarray
    items: np.ndarray
    positions: np.ndarray
    visible: np.ndarray
    outputs: np.ndarray


class _Lists(NamedTuple):
    """Own lists of latents: user u's begins at begins[u]; places: of what each process was sent."""

    begins: np.ndarray
    lengths: np.ndarray
    columns: np.ndarray
    places: list[np.ndarray]


class _Received(NamedTuple):
    """Lists of all processes; see `add_lists`. sizes: values of each."""

    starts: np.ndarray
    shifts: np.ndarray
    parcels: np.ndarray
    sizes: list[int]


class ShardedBackend:
    """See Backend; on the CPU, with rows of any length. Every process calls it with its own rows
    and the same batch of all items.
    """

    name = "sharded"

    def __init__(self, rows: Rows, shard: Shard, cap: float | None):
        """rows: of the items of `shard`; `cap`: bounds the prediction from above."""
        self.shard, self.group, self.width = shard, shard.group, rows.width
        self.cap = np.float32(np.inf if cap is None else cap)
        self.starts = rows.row_starts().numpy()
        self.gradient = torch.empty(rows.values.shape)
        self.slopes = torch.empty(2, shard.n_items)
        self.unscaled = np.ones(self.slopes.shape, np.float32)
        self.memory, self.work = Memory(torch.device("cpu")), {}
        threads = [np.array([get_num_threads()])] * self.group.size
        self.most_threads = int(max(map(max, self.group.parcels(threads))))
        self.set_columns(rows.cols)

    def set_columns(self, cols: torch.Tensor) -> None:
        """See Backend. Columns are counted among those in use here; all say which these are."""
        flat, place = cols.contiguous().view(-1).numpy(), np.full(self.width, -1, np.int32)
        used = np.zeros(self.width, dtype=bool)
        used[flat] = True
        latents = np.flatnonzero(used).astype(np.int32)
        place[latents] = np.arange(len(latents), dtype=np.int32)
        self.cols, self.n_latents, self.columns = place[flat], len(latents), None
        self.theirs = []
        for theirs in self.group.parcels([latents] * self.group.size):
            place[:] = -1
            place[theirs] = np.arange(len(theirs), dtype=np.int32)
            self.theirs.append(place[latents])

    def __call__(
        self, unit: torch.Tensor, batch: UserBatch, scales: torch.Tensor | None = None
    ) -> tuple[float, torch.Tensor]:
        """See Backend."""
        A = self.starts, self.cols, unit.view(-1).numpy()
        scales = self.unscaled if scales is None else scales.numpy()
        part = self._own_part(batch)
        lists, received = self._exchanged(part, A, scales[1])
        losses, back = self._through_scores(part, A, scales, received, batch)
        D = self._returned(back, received, lists)
        G, R = self._work("G", len(A[2])), self._work("R", self.n_latents + PAD)
        seen = part.indptr, part.items, part.visible
        loops.backward_lists(*seen, *A[:2], lists.begins, lists.lengths, lists.columns, D, G, R)
        order = self._columns_of(part, batch.whole)[1]
        add_up_gradient(
            order, self.starts, A[2], *scales, self.work["C"], G, self.work["own"],
            self.gradient.view(-1).numpy(), self.slopes.numpy(),
        )  # fmt: skip
        return losses.sum() / (batch.size * len(batch.outputs)), self.gradient

    def _own_part(self, batch: UserBatch) -> _Part:
        shard, outputs = self.shard, batch.outputs.numpy()
        begin, end = np.searchsorted(outputs, [shard.first, shard.last])
        visible = batch.visible
        if visible is None:
            visible = torch.ones_like(batch.items, dtype=bool)
        histories = (batch.offsets, batch.items, batch.positions, visible)
        own = (tensor.numpy() for tensor in histories)
        part = loops.own_histories(*own, shard.first, shard.last, begin)
        return _Part(*part, outputs[begin:end] - shard.first)

    def _exchanged(self, part: _Part, A: tuple, inputs: np.ndarray) -> tuple[_Lists, _Received]:
        """Own users' latents, sent to whoever uses them, and what all have sent."""
        n_users = len(part.indptr) - 1
        seen = part.indptr, part.items, part.visible
        begins = loops.most_latents(*seen, self.starts)
        most = int(begins[-1])
        columns = self.memory("columns", (most,), torch.int32).numpy()
        latents = self.memory("latents", (most,)).numpy()
        slots = self.memory("slots", (get_num_threads(), self.n_latents), torch.int64).numpy()
        lengths = loops.encode_lists(*seen, *A, inputs, begins, columns, latents, slots)
        own = begins, lengths, columns
        for_each = [loops.lengths_for(*own, theirs) for theirs in self.theirs]
        counts = [int(theirs.sum()) for theirs in for_each]
        sizes = [n_users + 2 * count for count in counts]
        buffer = self.memory("parcels", (sum(sizes),), torch.int32).numpy()
        ends, places = np.cumsum(sizes), []
        for q, end in enumerate(ends):
            places.append(self.memory(f"places {q}", (counts[q],), torch.int32).numpy())
            parcel = buffer[end - sizes[q] : end]
            loops.pack_lists(*own, latents, self.theirs[q], for_each[q], parcel, places[q])
        parcels, theirs = self.group.swap(buffer, sizes)
        return _Lists(*own, places), _unpacked(parcels, theirs, n_users)

    def _through_scores(
        self, part: _Part, A: tuple, scales: np.ndarray, received: _Received, batch: UserBatch
    ) -> tuple[np.ndarray, np.ndarray]:
        """(loss of each user, gradient of each value received), and shares of that of the rows.

        A tile of users at a time, whose scores are held while their sums are added up.
        """
        starts, order, places = self._columns_of(part, batch.whole)
        n_users, n_outputs = batch.size, len(part.outputs)
        groups = self._groups_of_tile(batch)
        E, D = self._work("E", self.n_latents, LANES), self._work("D", self.n_latents, LANES)
        P = self._work("P", n_outputs, LANES, shares=groups)
        C, own = self._work("C", len(order)), self._work("own", self.shard.n_items)
        C[:], own[:] = 0, 0
        ordered = in_order(A[2], scales[0], part.outputs, order, places)
        back = self.memory("back", (sum(received.sizes),)).numpy()
        losses, sums = np.empty(n_users), np.empty((n_users, 2))
        lists = (*received[:3], received.parcels.view(np.float32))
        lengths, scale = batch.lengths.double().numpy(), 2.0 / (n_users * len(batch.outputs))
        for first in range(0, n_users, groups * LANES):
            tile = first, min(first + groups * LANES, n_users)
            loops.score_own(
                *part[:4], *tile, part.outputs, *A, *scales, self.cap, *lists, E, P, sums
            )
            self.group.total(sums[slice(*tile)])
            loops.backward_users(
                *part[:4], *tile, n_outputs, self.cap, scale, sums, lengths, *lists,
                starts, places, ordered, E, D, P, C, own, back, losses,
            )  # fmt: skip
        return losses, back

    def _groups_of_tile(self, batch: UserBatch) -> int:
        """LANES users each, of a tile; the same in all processes, so by the largest one's items."""
        most_outputs = min(len(batch.outputs), max(np.diff(self.shard.bounds)))
        groups = max(self.most_threads, SCORES_HELD // (4 * LANES * int(most_outputs)))
        return min(groups, -(-batch.size // LANES))

    def _returned(self, back: np.ndarray, received: _Received, lists: _Lists) -> np.ndarray:
        """The gradient of the own lists: what each process has found of what it was sent."""
        sizes = [len(places) for places in lists.places]
        found, _ = self.group.swap(back, received.sizes, sizes)
        D = self.memory("D", (int(lists.lengths.sum()),)).zero_().numpy()
        for places, part in zip(lists.places, np.split(found, np.cumsum(sizes)[:-1]), strict=True):
            loops.add_at(D, places, part)
        return D

    def _columns_of(self, part: _Part, whole: bool) -> tuple[np.ndarray, ...]:
        """Nonzeros by column; kept while the support stays, and from loop to loop of a batch."""
        if self.columns is None or self.columns[0] is not (whole or part):
            found = by_columns(self.starts, self.cols, part.outputs, self.n_latents)
            self.columns = whole or part, found
        return self.columns[1]

    def _work(self, name: str, *shape: int, shares: int | None = None) -> np.ndarray:
        """An array that is kept, of `shape` or more for each of `shares` (None: of the threads)."""
        shape = (get_num_threads() if shares is None else shares, *shape)
        if name not in self.work or not np.all(self.work[name].shape >= np.array(shape)):
            self.work[name] = aligned(shape)
        return self.work[name]


def _unpacked(parcels: np.ndarray, sizes: list[int], n_users: int) -> _Received:
    """Where each user's list stands in each of `parcels`, one after the other."""
    ends = np.cumsum(sizes)
    starts = np.empty((len(ends), n_users + 1), np.int64)
    for q, begin in enumerate(ends - sizes):
        starts[q, 0] = begin + n_users
        np.cumsum(parcels[begin : begin + n_users], out=starts[q, 1:])
        starts[q, 1:] += starts[q, 0]
    counts = starts[:, -1] - starts[:, 0]
    return _Received(starts, counts, parcels, counts.tolist())
