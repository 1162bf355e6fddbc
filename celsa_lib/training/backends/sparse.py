"""Products over the nonzeros alone, in compiled loops on the CPU; time grows with nnz."""

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels.columns import by_columns
from celsa_lib.kernels.list_step import list_step, list_workspace
from celsa_lib.kernels.sparse_step import sparse_step, workspace
from celsa_lib.training.batches import UserBatch
from celsa_lib.training.rows import Rows

# Nonzeros that the loops over all of them pass in the time of one in a list: 10 among 10,000 items,
# whose scores stay in cache, and several times as many among 100,000.
LIST_COST = 16


class SparseBackend:
    """See Backend; on the CPU, with rows of any length."""

    name = "sparse"
    compute, workspace = staticmethod(sparse_step), staticmethod(workspace)

    def __init__(
        self,
        cols: torch.Tensor,
        width: int,
        n_outputs: int,
        cap: float | None,
        starts: torch.Tensor | None = None,
    ):
        """`cols` (int32), `starts`: see Rows; `n_outputs`: most outputs that a batch can have."""
        self.width, self.cap = width, np.float32(np.inf if cap is None else cap)
        if starts is None:
            self.starts = np.arange(len(cols) + 1, dtype=np.int32) * np.int32(cols.shape[1])
        else:
            self.starts = starts.numpy()
        self.gradient = torch.empty(cols.shape)
        self.slopes = torch.empty(2, len(self.starts) - 1)
        self.unscaled = torch.ones_like(self.slopes)
        self.set_columns(cols)
        self._allocate(n_outputs)

    def set_columns(self, cols: torch.Tensor) -> None:
        """See Backend."""
        self.cols, self.columns = cols.contiguous().view(-1).numpy(), None

    def __call__(
        self, unit: torch.Tensor, batch: UserBatch, scales: torch.Tensor | None = None
    ) -> tuple[float, torch.Tensor]:
        """See Backend."""
        if len(batch.outputs) > self.n_outputs:  # a batch that has seen more than the limit
            self._allocate(len(batch.outputs))
        visible = (
            torch.ones_like(batch.items, dtype=bool) if batch.visible is None else batch.visible
        )
        histories = (batch.offsets, batch.items, batch.positions, batch.outputs, visible)
        outer, inner = (self.unscaled if scales is None else scales).numpy()
        losses = self.compute(
            *(tensor.numpy() for tensor in histories),
            self.starts, self.cols, unit.view(-1).numpy(), outer, inner, self.cap,
            *self._columns_of(batch), self.gradient.view(-1).numpy(), self.slopes.numpy(),
            *self.work,
        )  # fmt: skip
        return losses.sum() / (batch.size * len(batch.outputs)), self.gradient

    def _columns_of(self, batch: UserBatch) -> tuple[np.ndarray, ...]:
        """Nonzeros by column; kept while the support stays and all items are scored."""
        if self.columns is None or not batch.whole:
            columns = by_columns(self.starts, self.cols, batch.outputs.numpy(), self.width)
            self.columns = columns if batch.whole else None
            return columns
        return self.columns

    def _allocate(self, n_outputs: int) -> None:
        self.n_outputs = n_outputs
        self.work = self.workspace(len(self.starts) - 1, len(self.cols), self.width, n_outputs)


class ListBackend(SparseBackend):
    """The same by way of the lists of a user's latents: time grows with the items that they reach.

    Memory: 8 bytes per nonzero and 13 per item and per latent for each thread; scores are a user's.
    """

    name = "sparse lists"
    compute, workspace = staticmethod(list_step), staticmethod(list_workspace)


def lists_are_short(rows: Rows, X: csr_matrix) -> bool:
    """Whether the lists of a user's latents hold so little that they are faster, on average.

    X: users × items. A latent that several of a user's items hold is counted as often.
    """
    values, cols, starts = (part.numpy() for part in rows.flat())
    length = np.bincount(cols, minlength=rows.width)
    reach = np.concatenate([[0], np.cumsum(length[cols])])[starts]
    passed = np.bincount(X.indices, minlength=X.shape[1]) @ np.diff(reach)
    return LIST_COST * passed < len(values) * np.count_nonzero(np.diff(X.indptr))
