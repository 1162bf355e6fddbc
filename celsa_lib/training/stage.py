"""One stage of training: its backend, and steps that change rows and optimiser in place."""

import torch

from celsa_lib.kernels.rows import TINY, unit_backward, unit_rows_into
from celsa_lib.training.backends import Memory, make_backend
from celsa_lib.training.batches import UserBatch
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.objective import top_k_columns, unit_rows
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.rows import Rows


class StageTrainer:
    """Trains `rows` (items × nnz) with `optimiser` on a support that is fixed, or dynamic."""

    def __init__(
        self,
        rows: Rows,
        optimiser: Nadam,
        stage: Stage,
        options: TrainingOptions,
        memory: Memory | None = None,
    ):
        """`memory`: one that other stages have used. The backend is chosen here, once per stage."""
        self.rows, self.optimiser, self.stage, self.options = rows, optimiser, stage, options
        memory = memory or Memory(rows.values.device)
        self.unit = memory("unit", (len(rows.values), stage.nnz))
        self.backend = make_backend(self.result(), options, memory)

    def result(self) -> Rows:
        """The rows with the stage's support: fixed, or their present top `nnz`."""
        return self.rows.prune(self.stage.nnz) if self.stage.dynamic else self.rows

    def step(self, batch: UserBatch) -> float:
        """One step of NAdam on a batch; its mean loss. Pruned entries get no gradient."""
        if self.stage.dynamic:
            return self._dynamic_step(batch)
        loss, gradient = self._gradient_of(self.rows.values, batch)
        self._update(gradient)
        return loss

    def _dynamic_step(self, batch: UserBatch) -> float:
        """Constant pruning: the top `nnz` of all values, chosen anew; the rest get no gradient."""
        values = self.rows.values
        cols = top_k_columns(values, self.stage.nnz)
        kept = values.gather(1, cols)
        self.backend.set_columns(cols.int())
        loss, gradient = self._gradient_of(kept, batch)
        self._update(torch.zeros_like(values).scatter_(1, cols, gradient))
        return loss

    def _gradient_of(self, values: torch.Tensor, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """(loss, gradient of `values` through their unit rows); the next call overwrites it."""
        if values.device.type == "cpu":
            unit_rows_into(values.numpy(), self.unit.numpy())
        else:
            self.unit.copy_(unit_rows(values))
        loss, gradient = self.backend(self.unit, batch)
        _through_unit_rows(values, gradient)
        return loss, gradient

    def _update(self, gradient: torch.Tensor) -> None:
        options = self.options
        self.optimiser.step(self.rows.values, gradient, options.learning_rate, options.epsilon)


def _through_unit_rows(values: torch.Tensor, gradient: torch.Tensor) -> None:
    """Turn the gradient of the unit rows into that of `values`, in place."""
    if values.device.type == "cpu":
        unit_backward(values.numpy(), gradient.numpy())
        return
    norm = values.norm(dim=1, keepdim=True).clamp_min(TINY)
    along = (values * gradient).sum(dim=1, keepdim=True) / norm**2
    gradient.addcmul_(values, along, value=-1).div_(norm)
