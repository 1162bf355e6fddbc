"""Products over the nonzeros alone, in compiled loops on the CPU; time grows with nnz."""

import numpy as np
import torch

from celsa_lib.kernels.sparse_step import by_columns, sparse_step, workspace
from celsa_lib.training.batches import UserBatch


class SparseBackend:
    """See Backend; on the CPU."""

    name = "sparse"

    def __init__(self, cols: torch.Tensor, width: int, n_outputs: int, cap: float | None):
        """`cols`: items × nnz, int32, on the CPU; `n_outputs`: most outputs a batch can have."""
        self.width, self.cap = width, np.float32(np.inf if cap is None else cap)
        self.set_columns(cols)
        self._allocate(n_outputs)

    def set_columns(self, cols: torch.Tensor) -> None:
        """See Backend."""
        self.cols, self.columns = cols.numpy(), None

    def __call__(self, unit: torch.Tensor, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """See Backend."""
        if len(batch.outputs) > self.n_outputs:  # a batch that has seen more than the limit
            self._allocate(len(batch.outputs))
        sparse = [t.numpy() for t in (batch.offsets, batch.items, batch.positions, batch.outputs)]
        columns = self._columns_of(batch)
        losses = sparse_step(*sparse, unit.numpy(), self.cols, self.cap, *columns, *self.work)
        loss = losses.sum() / (batch.size * len(batch.outputs))
        return loss, torch.from_numpy(self.gradient)

    def _columns_of(self, batch: UserBatch) -> tuple[np.ndarray, ...]:
        """Nonzeros by column; kept while the support stays and all items are scored."""
        if self.columns is None or not batch.whole:
            columns = by_columns(self.cols, batch.outputs.numpy(), self.width)
            self.columns = columns if batch.whole else None
            return columns
        return self.columns

    def _allocate(self, n_outputs: int) -> None:
        self.n_outputs = n_outputs
        self.work = workspace(*self.cols.shape, self.width, n_outputs)
        self.gradient = self.work[3][0]
