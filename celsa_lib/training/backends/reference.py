"""The formula as it is written, differentiated by torch: what the others must agree with; slow."""

import torch

from celsa_lib.training.batches import UserBatch
from celsa_lib.training.objective import reconstruction_loss


class ReferenceBackend:
    """See Backend; on any device, with rows of any length."""

    name = "reference"

    def __init__(
        self,
        cols: torch.Tensor,
        width: int,
        cap: float | None,
        starts: torch.Tensor | None = None,
    ):
        """`cols`, `starts`: see Rows; `cap`: bounds the prediction from above, None: not at all."""
        self.width, self.cap, self.starts = width, cap, starts
        self.set_columns(cols)

    def set_columns(self, cols: torch.Tensor) -> None:
        """See Backend."""
        self.cols = cols.long()

    def __call__(
        self, unit: torch.Tensor, batch: UserBatch, scales: torch.Tensor | None = None
    ) -> tuple[float, torch.Tensor]:
        """See Backend."""
        unit = unit.detach().requires_grad_()
        logs = None if scales is None else scales.log().requires_grad_()
        with_scales = None if scales is None else logs.exp()
        loss = reconstruction_loss(self._written_out(unit), batch, self.cap, with_scales)
        gradient, *slopes = torch.autograd.grad(loss, [unit] if logs is None else [unit, logs])
        self.slopes = slopes[0] if slopes else None
        return float(loss.detach()), gradient

    def _written_out(self, unit: torch.Tensor) -> torch.Tensor:
        """Rows as items × width."""
        if self.starts is None:
            empty = unit.new_zeros(len(unit), self.width)
            return empty.scatter(1, self.cols, unit)
        lengths = self.starts.long().diff()
        items = torch.repeat_interleave(lengths, output_size=len(unit))
        return unit.new_zeros(len(lengths), self.width).index_put((items, self.cols), unit)
