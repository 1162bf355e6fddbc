"""The formula as it is written, differentiated by torch: what the others must agree with; slow."""

import torch

from celsa_lib.training.batches import UserBatch
from celsa_lib.training.objective import reconstruction_loss


class ReferenceBackend:
    """See Backend; on any device."""

    name = "reference"

    def __init__(self, cols: torch.Tensor, width: int, cap: float | None):
        """`cols`: items × nnz; `cap`: bounds the prediction from above, None: nothing does."""
        self.width, self.cap = width, cap
        self.set_columns(cols)

    def set_columns(self, cols: torch.Tensor) -> None:
        """See Backend."""
        self.cols = None if cols.shape[1] == self.width else cols.long()

    def __call__(self, unit: torch.Tensor, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """See Backend."""
        unit = unit.detach().requires_grad_()
        loss = reconstruction_loss(self._written_out(unit), batch, self.cap)
        return float(loss.detach()), torch.autograd.grad(loss, unit)[0]

    def _written_out(self, unit: torch.Tensor) -> torch.Tensor:
        """Rows (items × nnz) as items × width."""
        if self.cols is None:
            return unit
        return torch.zeros(len(unit), self.width, device=unit.device).scatter(1, self.cols, unit)
