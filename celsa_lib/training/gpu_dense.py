"""Steps on a GPU by dense products, for rows that are full or nearly so."""

from math import inf

import torch
import triton

from celsa_lib.kernels import gpu_dense
from celsa_lib.kernels.rows import TINY
from celsa_lib.training.device import rounded_products
from celsa_lib.training.dropout import threshold
from celsa_lib.training.gpu_steps import Epochs, GpuTrainer
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.rows import Rows

BLOCK_COLUMNS = 4096  # of a row that are updated at a time: more would leave the registers


class DenseGpuTrainer(GpuTrainer):
    """Three products with all of A, and kernels for what lies between them.

    Rows that are not full are written out, and their other entries get no gradient.
    """

    name = "triton-dense"

    def __init__(self, rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs):
        super().__init__(rows, optimiser, options, epochs)
        n_items, width, new = epochs.n_items, rows.width, epochs.table.new_zeros
        self.full = rows.nnz == width
        parts = rows.values, optimiser.m, optimiser.v
        self.A, self.m, self.v = parts if self.full else map(self._written_out, parts)
        self.scored, self.through = self.A, False
        kept = torch.ones_like(rows.values, dtype=bool)
        self.mask = None if self.full else self._written_out(kept)
        self.mean = self.taken
        if self.mean is not None and not self.full:
            self.mean = self._written_out(self.mean)
        self.E, self.P = new(epochs.lanes, width), new(epochs.lanes, n_items)
        self.inverse_norms = 1.0 / self.A.norm(dim=1).clamp_min(TINY)
        self.low = options.precision == "bfloat16"
        self.rounded = self.A.bfloat16() if self.low else self.A
        self.G = new(n_items, width) if epochs.parts > 1 else None  # of all parts of a batch

    def result(self) -> Rows:
        """The rows as they are."""
        if not self.full:
            kept = self.rows.cols.long()
            into = self.rows.values, self.optimiser.m, self.optimiser.v, self.rows.mean
            for values, written_out in zip(into, (self.A, self.m, self.v, self.mean), strict=True):
                if values is not None:
                    torch.gather(written_out, 1, kept, out=values)
        return self.rows

    def _written_out(self, values: torch.Tensor) -> torch.Tensor:
        """Values (items × nnz) as items × width."""
        empty = values.new_zeros(len(values), self.rows.width)
        return empty.scatter_(1, self.rows.cols.long(), values)

    def _kernels(self, first: bool, last: bool) -> None:
        ep, width, options = self.epochs, self.rows.width, self.options
        users, lanes, n_items = (ep.step, ep.order, ep.indptr), ep.lanes, ep.n_items
        below, dropout = threshold(options.dropout), options.dropout > 0
        cap = inf if options.relu_cap is None else options.relu_cap
        block = min(1024, triton.next_power_of_2(width))
        gpu_dense.encode_rows[(lanes, -(-width // block))](
            *users, ep.items, ep.seeds, self.scored, self.inverse_norms, self.E, below, width,
            lanes, DROPOUT=dropout, N=4, K=block, num_warps=4,
        )  # fmt: skip
        with rounded_products(options.precision):
            E = self.E.bfloat16() if self.low else self.E
            self._product(E, self.rounded.T, self.P)
            gpu_dense.score_rows[(lanes,)](
                *users, ep.items, ep.seeds, ep.table, ep.times, self.inverse_norms, self.P,
                self.losses, cap, below, n_items, lanes, DROPOUT=dropout, SAMPLED=ep.sampled,
                N=64, K=2048, num_warps=8,
            )  # fmt: skip
            P = self.P.bfloat16() if self.low else self.P
            D = self._product(P, self.rounded)
            G = self._product(P.T, E)
        seen = ep.seeds, ep.seen_starts, ep.seen_lanes, ep.interactions, D
        if self.G is not None:
            G = self.G.copy_(G) if first else self.G.add_(G)
            gpu_dense.add_encoder[(n_items, -(-width // block))](
                ep.step, *seen, G, self.inverse_norms, below, n_items, width, DROPOUT=dropout,
                K=block, num_warps=4,
            )  # fmt: skip
        if last:
            self._update(seen, G, below, dropout)

    def _update(self, seen: tuple, G: torch.Tensor, below: int, dropout: bool) -> None:
        ep, width, options = self.epochs, self.rows.width, self.options
        gpu_dense.update_dense[(ep.n_items,)](
            ep.step, ep.table, *seen, G, self.A, self.m, self.v,
            self.A if self.mask is None else self.mask, self.A if self.mean is None else self.mean,
            self.inverse_norms, self.rounded, below, ep.n_items, width, DROPOUT=dropout,
            SUMMED=self.G is not None, MASKED=self.mask is not None, MEAN=self.mean is not None,
            ROUNDED=self.low, POSITIVE=options.non_negative, THROUGH=self.through,
            K=min(BLOCK_COLUMNS, triton.next_power_of_2(width)),
            num_warps=8 if width > 1024 else 4,
        )  # fmt: skip

    def _product(self, left: torch.Tensor, right: torch.Tensor, out: torch.Tensor | None = None):
        """left · right, sums and result in float32."""
        if not self.low:
            return torch.mm(left, right, out=out)
        if left.device.type == "cuda":
            product = torch.mm(left, right, out_dtype=torch.float32)
        else:
            product = left.float() @ right.float()
        return product if out is None else out.copy_(product)


class MovingGpuTrainer(DenseGpuTrainer):
    """The same for a dynamic support: each step takes the largest of all values, see Stage."""

    def __init__(
        self, rows: Rows, optimiser: Nadam, stage: Stage, options: TrainingOptions, epochs: Epochs
    ):
        super().__init__(rows, optimiser, options, epochs)
        self.nnz, self.through = stage.nnz, stage.straight_through
        self.mask = torch.empty_like(self.A, dtype=torch.bool)
        self.scored = torch.empty_like(self.A)
        self.rounded = self.rounded if self.low else self.scored

    def result(self) -> Rows:
        """The rows with their present support."""
        return self.rows.prune(self.nnz)

    def _kernels(self, first: bool, last: bool) -> None:
        if first:
            self._choose()
        super()._kernels(first, last)

    def _choose(self) -> None:
        """The support of a step, and the rows with nothing else."""
        largest = torch.topk(self.A.abs(), self.nnz, dim=1, sorted=False).indices
        self.mask.zero_().scatter_(1, largest, True)
        torch.mul(self.A, self.mask, out=self.scored)
        norms = torch.linalg.vector_norm(self.scored, dim=1).clamp_min_(TINY)
        torch.reciprocal(norms, out=self.inverse_norms)
        if self.low:
            self.rounded.copy_(self.scored)
