"""One stage of training: its backend, and steps that change rows and optimiser in place."""

from collections.abc import Iterator
from itertools import repeat

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels.rows import TINY, unit_backward, unit_rows_into
from celsa_lib.training.backends import Memory, make_backend
from celsa_lib.training.batches import UserBatch, shuffled_batches
from celsa_lib.training.dropout import seeds_of
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.objective import top_k_columns, unit_rows
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.rows import Rows


class StageTrainer:
    """Trains `rows` with `optimiser` on X (users × items), on a fixed support or a dynamic one."""

    def __init__(
        self,
        rows: Rows,
        optimiser: Nadam,
        stage: Stage,
        options: TrainingOptions,
        X: csr_matrix,
        memory: Memory | None = None,
        parts: int = 1,
    ):
        """`memory`: one that other stages have used; `parts`: of a batch, where a GPU's memory is
        short. The backend is chosen here, once per stage.
        """
        self.rows, self.optimiser, self.stage, self.options = rows, optimiser, stage, options
        self.X, self.memory, self.parts = X, memory or Memory(rows.values.device), parts
        trained = rows if stage.straight_through else self.result()
        self.unit = self.memory("unit", trained.values.shape)
        self.starts = Rows(self.unit, rows.cols, rows.width, rows.starts).row_starts()
        self.backend = make_backend(trained, options, self.memory)
        self.name, self.losses = self.backend.name, []
        self.learning_rate, self.of_mean = options.learning_rate, 0.0

    def result(self) -> Rows:
        """The rows with the stage's support: fixed, or their present top `nnz`."""
        return self.rows.prune(self.stage.nnz) if self.stage.dynamic else self.rows

    def batches(self, rng: np.random.Generator, rates: np.ndarray) -> Iterator[UserBatch]:
        """The batches of an epoch, in an order drawn from `rng`.

        rates: learning rate and weight of the mean for each of its steps, steps × 2.
        """
        options, dropouts = self.options, repeat(None)
        if options.dropout:
            seeds = seeds_of(options.seed, self.optimiser.steps, len(rates))
            dropouts = [(int(seed), options.dropout) for seed in seeds]
        drawn = options.length_exponent, options.max_outputs, options.repeat_negatives
        device = self.rows.values.device
        every = shuffled_batches(self.X, options.batch_size, rng, device, *drawn, dropouts)
        for batch, (self.learning_rate, self.of_mean) in zip(every, rates, strict=True):
            yield batch

    def mean_loss(self) -> float:
        """Mean loss of the steps since the last call."""
        mean, self.losses = float(np.mean(self.losses)), []
        return mean

    def step(self, batch: UserBatch) -> None:
        """One step of NAdam on a batch. Pruned entries get no gradient."""
        loss = self._dynamic_step(batch) if self.stage.dynamic else self._fixed_step(batch)
        self.losses.append(loss)

    def _fixed_step(self, batch: UserBatch) -> float:
        rows = self.rows
        scales = None if rows.scales is None else rows.scales[:2].exp()
        loss, gradient = self._gradient_of(rows.values, batch, scales)
        self._update(gradient, None if scales is None else self.backend.slopes)
        if self.of_mean:
            rows.mean = torch.zeros_like(rows.values) if rows.mean is None else rows.mean
            rows.mean.lerp_(rows.values, self.of_mean)
        return loss

    def _dynamic_step(self, batch: UserBatch) -> float:
        """Constant pruning: the top `nnz` of all values, chosen anew; the rest get no gradient,
        or that through the mask.
        """
        values = self.rows.values
        cols = top_k_columns(values, self.stage.nnz)
        kept = values.gather(1, cols)
        if self.stage.straight_through:
            loss, gradient = self._gradient_of(
                torch.zeros_like(values).scatter_(1, cols, kept), batch
            )
            self._update(gradient)
            return loss
        self.backend.set_columns(cols.int())
        loss, gradient = self._gradient_of(kept, batch)
        self._update(torch.zeros_like(values).scatter_(1, cols, gradient))
        return loss

    def _gradient_of(
        self, values: torch.Tensor, batch: UserBatch, scales: torch.Tensor | None = None
    ) -> tuple[float, torch.Tensor]:
        """(loss, gradient of `values` through their unit rows); the next call overwrites it."""
        if values.device.type != "cpu":
            self.unit.copy_(unit_rows(values))
            loss, gradient = self._in_parts(batch)
            _through_unit_rows(values, gradient)
            return loss, gradient
        flat, starts = values.view(-1).numpy(), self.starts.numpy()
        unit_rows_into(flat, starts, self.unit.view(-1).numpy())
        loss, gradient = self.backend(self.unit, batch, scales)
        unit_backward(flat, starts, gradient.view(-1).numpy())
        return loss, gradient

    def _in_parts(self, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """What the backend gives for a batch, from its parts: means over users, so they add up."""
        if self.parts == 1:
            return self.backend(self.unit, batch)
        loss, total = 0.0, self.memory("gradient of parts", self.unit.shape).zero_()
        for part in batch.parts(-(-batch.size // self.parts)):
            share = part.size / batch.size
            of_part, gradient = self.backend(self.unit, part)
            loss += share * of_part
            total.add_(gradient, alpha=share)
        return loss, total

    def _update(self, gradient: torch.Tensor, slopes: torch.Tensor | None = None) -> None:
        rows, step = self.rows, (self.learning_rate, self.options.epsilon)
        if slopes is None:
            self.optimiser.step(rows.values, gradient, *step)
        else:
            self.optimiser.step_with_scales(rows.values, gradient, rows.scales, slopes, *step)
        if self.options.non_negative:
            rows.values.clamp_(min=0.0)


def _through_unit_rows(values: torch.Tensor, gradient: torch.Tensor) -> None:
    """Turn the gradient of the unit rows (items × nnz) into that of `values`, in place."""
    norm = values.norm(dim=1, keepdim=True).clamp_min(TINY)
    along = (values * gradient).sum(dim=1, keepdim=True) / norm**2
    gradient.addcmul_(values, along, value=-1).div_(norm)
