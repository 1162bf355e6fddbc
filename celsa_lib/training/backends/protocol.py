"""What a backend is, and memory that outlives it."""

import math
from typing import Protocol

import torch

from celsa_lib.training.batches import UserBatch


class Backend(Protocol):
    """Loss and gradient of equation (1) for the rows of one stage.

    slopes: gradient of log s and log w (2 × items) in the last call with scales.
    """

    name: str
    slopes: torch.Tensor

    def set_columns(self, cols: torch.Tensor) -> None:
        """Change the support to `cols` (items × nnz, int32): a dynamic one, at every step."""

    def __call__(
        self, unit: torch.Tensor, batch: UserBatch, scales: torch.Tensor | None = None
    ) -> tuple[float, torch.Tensor]:
        """(mean loss, gradient of the unit rows), which the next call overwrites.

        unit, gradient: in the shape of the rows' values; scales: s and w, 2 × items, None: all 1.
        """


class Memory:
    """Tensors kept from step to step and from stage to stage, by name.

    Fresh pages cost more than what fills them.
    """

    def __init__(self, device: torch.device):
        self.device, self.kept = device, {}

    def __call__(self, name: str, shape, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """A tensor of `shape`; it holds anything, and is the one of the last call by this name."""
        size = math.prod(shape)
        if name not in self.kept or self.kept[name].numel() < size:
            self.kept[name] = torch.empty(size, dtype=dtype, device=self.device)
        return self.kept[name][:size].view(*shape)
