"""The processes that train together: what they send each other, counted.

They are those of `torch.distributed`, started by torchrun or by `celsa train --workers`; gloo
carries arrays of NumPy between CPUs. Every process makes the same calls in the same order.
"""

import json
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
import torch

from celsa_lib.errors import ProcessError

LOST = (
    "another process of this training has ended, or cannot be reached ({error}); what it said is "
    "above or in its log; start all of them again, and a checkpoint goes on where it stood"
)


class Group:
    """rank: the number of this process, of `size`; sent: bytes that it has sent to others."""

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size, self.sent = rank, size, 0

    @classmethod
    def here(cls) -> "Group":
        """The processes that torch.distributed has joined; this one alone where there are none."""
        from torch import distributed

        if not distributed.is_available() or not distributed.is_initialized():
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def swap(
        self, buffer: np.ndarray, sizes: Sequence[int], theirs: Sequence[int] | None = None
    ) -> tuple[np.ndarray, Sequence[int]]:
        """Send each process its part of `buffer`, of `sizes`; what they send, and how much each.

        theirs: how much, where it is known. Raises ProcessError where a process is lost.
        """
        if self.size == 1:
            return buffer, sizes
        if theirs is None:
            theirs = self.swap(np.array(sizes, np.int64), [1] * self.size, [1] * self.size)[0]
        received = np.empty(sum(theirs), buffer.dtype)
        into, of = torch.from_numpy(received), torch.from_numpy(buffer)
        self.sent += (sum(sizes) - sizes[self.rank]) * buffer.itemsize
        parts = [list(map(int, theirs)), list(map(int, sizes))]
        self._call("all_to_all_single", into, of, *parts)
        return received, theirs

    def parcels(self, parcels: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Send each process the one of `parcels` in its place; what they send, in their order.

        All are of one axis and one type.
        """
        received, sizes = self.swap(np.concatenate(parcels), [len(one) for one in parcels])
        return np.split(received, list(accumulate(sizes))[:-1])

    def total(self, array: np.ndarray) -> np.ndarray:
        """`array` becomes its sum over all processes, the same bits in each."""
        if self.size > 1:
            self.sent += 2 * array.nbytes * (self.size - 1) // self.size
            self._call("all_reduce", torch.from_numpy(array))
        return array

    def gathered(self, array: np.ndarray) -> list[np.ndarray] | None:
        """The arrays of all processes, one axis each, in process 0; None in the others."""
        parts = self.parcels([array if q == 0 else array[:0] for q in range(self.size)])
        return parts if self.rank == 0 else None

    def dealt(self, parts: Sequence[np.ndarray] | None, dtype) -> np.ndarray:
        """This process's one of the arrays `parts`, which process 0 has and the others lack."""
        nothing = [np.empty(0, dtype)] * self.size
        return self.parcels(nothing if parts is None else parts)[0]

    def told(self, value):
        """What process 0 has as `value`, of plain values (JSON), in all."""
        if self.size == 1:
            return value
        text = np.frombuffer(json.dumps(value).encode(), np.uint8)
        said = self.dealt([text] * self.size if self.rank == 0 else None, np.uint8)
        return json.loads(said.tobytes())

    def _call(self, name: str, *arguments) -> None:
        from torch import distributed

        call: Callable = getattr(distributed, name)
        try:
            call(*arguments)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0][:100] if str(error) else "no reason given"
            raise ProcessError(LOST.format(error=reason)) from error
