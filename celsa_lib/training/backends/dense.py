"""Three dense products with the rows written out, items × width; on any device."""

import torch
from torch.nn import functional

from celsa_lib.kernels.rows import TINY, add_sums
from celsa_lib.training.backends.protocol import Memory
from celsa_lib.training.batches import UserBatch
from celsa_lib.training.device import rounded_products
from celsa_lib.training.shard import Shard


class DenseBackend:
    """See Backend; on any device."""

    name = "dense"

    def __init__(
        self,
        cols: torch.Tensor,
        width: int,
        cap: float | None,
        precision: str = "float32",
        memory: Memory | None = None,
    ):
        """`precision`: what the products' factors are rounded to; sums are in float32."""
        self.width, self.cap, self.precision = width, cap, precision
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self.memory = memory or Memory(cols.device)
        self.set_columns(cols)

    def set_columns(self, cols: torch.Tensor) -> None:
        """See Backend."""
        self.cols = None if cols.shape[1] == self.width else cols.long()

    def __call__(
        self, unit: torch.Tensor, batch: UserBatch, scales: None = None
    ) -> tuple[float, torch.Tensor]:
        """See Backend; without scales."""
        A = self._written_out(unit)
        scored = self._factor("scored", A if batch.whole else A[batch.outputs])
        weights = None if batch.visible is None else batch.visible.float()
        E = functional.embedding_bag(
            batch.items, A, batch.offsets[:-1], mode="sum", per_sample_weights=weights
        )
        P = self._product("P", self._factor("E", E), scored.T)
        P[batch.rows, batch.positions] -= 1.0 if weights is None else weights
        P.clamp_(min=0.0, max=self.cap)
        alpha, losses = gradient_of_scores(P, batch, self.cap)
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
        into = self.memory(f"product {name}", shape, self.dtype)
        with rounded_products(self.precision):
            product = torch.mm(left, right, out=into)
        return product if self.dtype == torch.float32 else self.memory(name, shape).copy_(product)


def gradient_of_scores(
    P: torch.Tensor, batch: UserBatch, cap: float | None, shard: Shard | None = None
):
    """(alpha, losses) of each user; P becomes what its gradient is `alpha` times of, in place.

    With o = Σ_seen p: loss 2 − 2·o/(‖p‖‖x‖), gradient 2·o/(‖p‖³‖x‖)·(p − x·‖p‖²/o). shard: whose
    scores these are, where other processes have those of other items.
    """
    norm = torch.linalg.vector_norm(P, dim=1)
    seen = batch.rows, batch.positions
    p = P[seen]
    overlap, n_scores = torch.zeros_like(norm).index_add_(0, batch.rows, p), P.numel()
    if shard is not None and shard.group.size > 1:
        sums = shard.group.total(torch.stack([norm.double() ** 2, overlap.double()]).numpy())
        norm, overlap = torch.from_numpy(sums).to(P.dtype)
        norm, n_scores = norm.sqrt(), len(P) * shard.bounds[-1]
    scaled = norm.clamp_min(TINY) * batch.lengths.sqrt()
    losses = 1.0 + (norm > 0) - 2.0 * overlap / scaled
    alpha = 2.0 * overlap / (scaled * norm.clamp_min(TINY) ** 2) / n_scores
    target = norm**2 / overlap.clamp_min(TINY)
    free = (p > 0) if cap is None else (p > 0) & (p < cap)
    P[seen] = torch.where(free, p - target[batch.rows], p)
    if cap is not None:
        P.masked_fill_(P.ge(cap), 0.0)
    return alpha, losses


def add_to_items(D: torch.Tensor, batch: UserBatch, G: torch.Tensor) -> None:
    """G += Xᵀ·D (items × width), in place, X being what is visible."""
    items, users = batch.items, batch.rows
    if batch.visible is not None:
        items, users = items[batch.visible], users[batch.visible]
    order = torch.argsort(items, stable=True)
    ends = torch.bincount(items, minlength=len(G)).cumsum(0)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    users = users[order]
    if G.device.type == "cpu":
        add_sums(users.numpy(), starts.numpy(), D.numpy(), G.numpy())
    else:
        G += functional.embedding_bag(users, D, starts, mode="sum")
