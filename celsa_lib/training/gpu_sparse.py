"""Steps on a GPU whose time grows with the nonzeros."""

from math import inf

import torch
import triton

from celsa_lib.kernels import gpu
from celsa_lib.kernels.rows import TINY
from celsa_lib.training.dropout import threshold
from celsa_lib.training.gpu_steps import Epochs, GpuTrainer
from celsa_lib.training.memory import users_of_tile
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows


class SparseGpuTrainer(GpuTrainer):
    """The k-sparse step: rows of any length, input dropout, scales."""

    name = "triton-sparse"
    CHUNK, ITEMS = 8, 16  # nonzeros of a tile; items that a program scores

    def __init__(self, rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs):
        super().__init__(rows, optimiser, options, epochs)
        n_items, lanes, new = epochs.n_items, epochs.lanes, epochs.table.new_zeros
        self.users = users_of_tile(lanes)
        self.blocks = lanes // self.users
        self.parts = -(-n_items // self.ITEMS)
        self.values, self.cols, self.starts = rows.flat()
        self.fullest = triton.next_power_of_2(int((self.starts[1:] - self.starts[:-1]).max()))
        self.E, self.exact = new(rows.width, lanes), new(rows.width, lanes, dtype=torch.int64)
        self.D = self.exact.view(torch.float32).view(2, rows.width, lanes)[0]  # E is done by then
        self.P, self.C = new(n_items, lanes), new(self.blocks, len(self.values))
        self.squares, self.square = new(self.parts, lanes), new(lanes)
        self.alpha, self.unit = new(lanes), new(len(self.values))
        self.mean = self.values if self.taken is None else self.taken.view(-1)
        self.m, self.v = optimiser.m.view(-1), optimiser.v.view(-1)
        self.summed = epochs.parts > 1
        self.sums = new(2, len(self.values)) if self.summed else self.C
        self.owns = new(n_items) if self.summed else self.alpha
        self._by_latent(rows.width)
        self._set_units()
        self.scales = rows.scales if options.scales else new(6, n_items)
        self.outputs, self.inputs = self.scales[0].exp(), self.scales[1].exp()

    def _by_latent(self, width: int) -> None:
        """The nonzeros of each latent, which the way back through the decoder follows."""
        by_column, positions = torch.sort(self.cols, stable=True)
        items = torch.repeat_interleave(
            torch.arange(self.epochs.n_items, device=self.cols.device),
            self.starts.long().diff(), output_size=len(self.cols),
        )  # fmt: skip
        self.positions, self.places = positions.int(), items[positions].int()
        every = torch.arange(width + 1, device=self.cols.device)
        self.col_starts = torch.searchsorted(by_column.long(), every).int()

    def _set_units(self) -> None:
        lengths = self.starts.long().diff()
        item = torch.repeat_interleave(lengths, output_size=len(self.values))
        squares = torch.segment_reduce(self.values.square(), "sum", lengths=lengths)
        torch.div(self.values, squares.sqrt().clamp_min(TINY)[item], out=self.unit)

    def _kernels(self, first: bool, last: bool) -> None:
        ep, options = self.epochs, self.options
        users, lanes, n_items = (ep.step, ep.order, ep.indptr), ep.lanes, ep.n_items
        below, dropout = threshold(options.dropout), options.dropout > 0
        cap = inf if options.relu_cap is None else options.relu_cap
        tile = {"K": min(self.CHUNK, self.fullest), "U": self.users}
        warps = max(1, self.users // 128)
        self.exact.zero_()
        gpu.encode[(lanes,)](
            *users, ep.items, ep.seeds, self.starts, self.cols, self.unit, self.inputs, self.exact,
            below, lanes, DROPOUT=dropout, N=8, K=min(32, self.fullest), num_warps=4,
        )  # fmt: skip
        torch.mul(self.exact, 1 / gpu.FIXED_POINT.value, out=self.E)
        gpu.decode[(self.parts, self.blocks)](
            ep.step, ep.times, self.starts, self.cols, self.unit, self.outputs, self.E, self.P,
            self.squares, cap, n_items, lanes, SAMPLED=ep.sampled, ITEMS=self.ITEMS, **tile,
            num_warps=warps,
        )  # fmt: skip
        torch.sum(self.squares, 0, out=self.square)
        gpu.score_users[(lanes,)](
            *users, ep.items, ep.seeds, ep.table, self.inputs, self.outputs, self.square, self.P,
            self.alpha, self.losses, cap, below, lanes, DROPOUT=dropout, N=64, num_warps=2,
        )  # fmt: skip
        gpu.decode_backward[(len(self.E), self.blocks)](
            ep.step, ep.times, self.col_starts, self.places, self.positions, self.unit,
            self.outputs, self.alpha, self.E, self.P, self.D, self.C, cap, len(self.values),
            n_items, lanes, SAMPLED=ep.sampled, **tile, num_warps=warps,
        )  # fmt: skip
        gradient = (
            self.starts, self.cols, ep.seen_starts, ep.seen_lanes, self.alpha, self.C, self.D,
            len(self.values), n_items, self.blocks, lanes, ep.seeds, ep.interactions, self.P, below,
            self.sums, self.owns,
        )  # fmt: skip
        constants = {
            "DROPOUT": dropout, "SCALES": options.scales, "N": max(1, min(16, 512 // self.fullest)),
            "K": self.fullest, "num_warps": 1 if self.fullest <= 64 else 4,
        }  # fmt: skip
        if self.summed:
            if first:
                self.sums.zero_()
                self.owns.zero_()
            gpu.add_gradients[(n_items,)](ep.step, *gradient, **constants)
        if last:
            gpu.update_sparse[(n_items,)](
                ep.step, *gradient, ep.table, self.values, self.m, self.v, self.unit, self.mean,
                self.inputs, self.outputs, self.scales, SUMMED=self.summed,
                MEAN=self.taken is not None, POSITIVE=options.non_negative, **constants,
            )  # fmt: skip
