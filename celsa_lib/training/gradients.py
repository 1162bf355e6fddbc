"""Three ways to the same gradient of equation (1): k-sparse kernels, dense products, autograd.

Each is called with the unit rows (items × nnz) and a batch, and returns the mean loss and the
gradient of those rows, which the next call overwrites.
"""

import numpy as np
import torch
from torch.nn import functional

from celsa_lib.training.batches import UserBatch
from celsa_lib.training.kernels import by_columns, sparse_step, workspace
from celsa_lib.training.objective import reconstruction_loss
from celsa_lib.training.row_kernels import TINY, add_sums


class SparseGradient:
    """Products over the nonzeros alone, in compiled loops on the CPU; time grows with nnz."""

    def __init__(self, cols: torch.Tensor, width: int, n_outputs: int, cap: float | None):
        """`cols`: items × nnz, int32, on the CPU; `n_outputs`: most outputs a batch can have."""
        self.width, self.cap = width, np.float32(np.inf if cap is None else cap)
        self.set_columns(cols)
        self._allocate(n_outputs)

    def set_columns(self, cols: torch.Tensor) -> None:
        """Move the support (constant pruning does, at every step)."""
        self.cols, self.columns = cols.numpy(), None

    def __call__(self, unit: torch.Tensor, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """(loss, gradient of `unit`)."""
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


class DenseGradient:
    """Three dense products with the rows written out, items × width; on any device."""

    def __init__(
        self,
        cols: torch.Tensor,
        width: int,
        cap: float | None,
        bfloat16: bool = False,
        memory: "Memory | None" = None,
    ):
        """`bfloat16`: round the factors of the products to bfloat16, sums in float32."""
        self.width, self.cap = width, cap
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self.memory = memory or Memory(cols.device)
        self.set_columns(cols)

    def set_columns(self, cols: torch.Tensor) -> None:
        """Move the support (constant pruning does, at every step)."""
        self.cols = None if cols.shape[1] == self.width else cols.long()

    def __call__(self, unit: torch.Tensor, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """(loss, gradient of `unit`)."""
        A = self._written_out(unit)
        scored = self._factor("scored", A if batch.whole else A[batch.outputs])
        E = functional.embedding_bag(batch.items, A, batch.offsets[:-1], mode="sum")
        P = self._product("P", self._factor("E", E), scored.T)
        P[batch.rows, batch.positions] -= 1.0
        P.clamp_(min=0.0, max=self.cap)
        alpha, losses = _loss_and_target(P, batch, self.cap)
        E.mul_(alpha[:, None])
        gradient_of_P = self._factor("gradient of P", P)
        D = self._product("D", gradient_of_P, scored).mul_(alpha[:, None])
        G = self._product("G", gradient_of_P.T, self._factor("E", E))
        if not batch.whole:
            G = torch.zeros_like(A).index_add_(0, batch.outputs, G)
        add_to_items(D, batch, G)
        loss = float(losses.double().sum()) / (batch.size * len(batch.outputs))
        if self.cols is None:
            return loss, G
        return loss, torch.gather(G, 1, self.cols, out=self.memory("kept", self.cols.shape))

    def _written_out(self, unit: torch.Tensor) -> torch.Tensor:
        if self.cols is None:
            return unit
        return self.memory("A", (len(unit), self.width)).zero_().scatter_(1, self.cols, unit)

    def _factor(self, name: str, values: torch.Tensor) -> torch.Tensor:
        """`values` as a factor of a product: themselves, or rounded."""
        if values.dtype == self.dtype:
            return values
        return self.memory(f"rounded {name}", values.shape, self.dtype).copy_(values)

    def _product(self, name: str, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """left · right in float32."""
        shape = len(left), right.shape[1]
        product = torch.mm(left, right, out=self.memory(f"product {name}", shape, self.dtype))
        return product if self.dtype == torch.float32 else self.memory(name, shape).copy_(product)


class Memory:
    """Tensors kept from step to step and from stage to stage, by name.

    Fresh pages cost more than what fills them.
    """

    def __init__(self, device: torch.device):
        self.device, self.kept = device, {}

    def __call__(self, name: str, shape, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """A tensor of `shape`; it holds anything, and is the one of the last call by this name."""
        size = shape[0] * shape[1]
        if name not in self.kept or self.kept[name].numel() < size:
            self.kept[name] = torch.empty(size, dtype=dtype, device=self.device)
        return self.kept[name][:size].view(*shape)


class AutogradGradient:
    """The formula as it is written, differentiated by torch: the reference, slow."""

    def __init__(self, cols: torch.Tensor, width: int, cap: float | None):
        """As for DenseGradient."""
        self.width, self.cap = width, cap
        self.set_columns(cols)

    def set_columns(self, cols: torch.Tensor) -> None:
        """Move the support (constant pruning does, at every step)."""
        self.cols = None if cols.shape[1] == self.width else cols.long()

    def __call__(self, unit: torch.Tensor, batch: UserBatch) -> tuple[float, torch.Tensor]:
        """(loss, gradient of `unit`)."""
        unit = unit.detach().requires_grad_()
        loss = reconstruction_loss(write_out(unit, self.cols, self.width), batch, self.cap)
        return float(loss.detach()), torch.autograd.grad(loss, unit)[0]


def write_out(values: torch.Tensor, cols: torch.Tensor | None, width: int) -> torch.Tensor:
    """Rows of `values` at `cols` (items × nnz, int64) as items × width; None: they are full."""
    if cols is None:
        return values
    return torch.zeros(len(values), width, device=values.device).scatter(1, cols, values)


def _loss_and_target(P: torch.Tensor, batch: UserBatch, cap: float | None):
    """(alpha, losses) of each user; P becomes what its gradient is `alpha` times of, in place.

    With o = Σ_seen p: loss 2 − 2·o/(‖p‖‖x‖), gradient 2·o/(‖p‖³‖x‖)·(p − x·‖p‖²/o).
    """
    norm = torch.linalg.vector_norm(P, dim=1)
    seen = batch.rows, batch.positions
    p = P[seen]
    overlap = torch.zeros_like(norm).index_add_(0, batch.rows, p)
    scaled = norm.clamp_min(TINY) * batch.lengths.sqrt()
    losses = 1.0 + (norm > 0) - 2.0 * overlap / scaled
    alpha = 2.0 * overlap / (scaled * norm.clamp_min(TINY) ** 2) / P.numel()
    target = norm**2 / overlap.clamp_min(TINY)
    moving = (p > 0) if cap is None else (p > 0) & (p < cap)
    P[seen] = torch.where(moving, p - target[batch.rows], p)
    if cap is not None:
        P.masked_fill_(P.ge(cap), 0.0)
    return alpha, losses


def add_to_items(D: torch.Tensor, batch: UserBatch, G: torch.Tensor) -> None:
    """G += Xᵀ·D (items × width), in place: to each item the gradients of those who have seen it."""
    order = torch.argsort(batch.items, stable=True)
    ends = torch.bincount(batch.items, minlength=len(G)).cumsum(0)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    users = batch.rows[order]
    if G.device.type == "cpu":
        add_sums(users.numpy(), starts.numpy(), D.numpy(), G.numpy())
    else:
        G += functional.embedding_bag(users, D, starts, mode="sum")
