"""The plain, masked-dense form of the objective: what every faster backend must agree with."""

import torch
from torch.nn import functional

from celsa_lib.kernels.rows import TINY, top_columns
from celsa_lib.training.batches import UserBatch


def unit_rows(A: torch.Tensor) -> torch.Tensor:
    """A (items × width) with rows of unit ℓ2 norm; all-zero rows stay zero."""
    return functional.normalize(A, dim=1, eps=TINY)


def top_k_columns(A: torch.Tensor, nnz: int) -> torch.Tensor:
    """Columns of the `nnz` largest |values| of each row of A, ascending: items × nnz, int64.

    Exactly `nnz` columns per row, also where values tie.
    """
    if A.device.type == "cpu":
        return torch.from_numpy(top_columns(A.detach().contiguous().numpy(), nnz))
    return torch.topk(A.abs(), nnz, dim=1, sorted=False).indices.sort(dim=1).values


def top_k_mask(A: torch.Tensor, nnz: int) -> torch.Tensor:
    """mask(A, k) of Section 2: boolean, true at the `nnz` largest |values| of each row."""
    kept = top_k_columns(A, nnz)
    return torch.zeros_like(A, dtype=torch.bool).scatter_(1, kept, True)


def sparsify_rows(A: torch.Tensor, nnz: int) -> torch.Tensor:
    """Ā_s of Section 2: the `nnz` largest |values| of each row of A, renormalised."""
    return unit_rows(A * top_k_mask(A, nnz))


def predict(A: torch.Tensor, batch: UserBatch, scales: torch.Tensor | None = None) -> torch.Tensor:
    """x·A·Aᵀ − x for a batch of users: (users, outputs), equation (1); A has unit rows.

    With `scales` (2 × items: s, w) and v, what is visible of x: v·W·(A·Aᵀ − I)·S.
    """
    weights = torch.ones_like(batch.items, dtype=A.dtype)
    if batch.visible is not None:
        weights = weights * batch.visible
    if scales is not None:
        weights = weights * scales[1][batch.items]
    offsets = batch.offsets[:-1]
    encoded = functional.embedding_bag(
        batch.items, A, offsets, mode="sum", per_sample_weights=weights
    )
    scores = encoded @ A[batch.outputs].T
    scores = scores.index_put((batch.rows, batch.positions), -weights, accumulate=True)
    return scores if scales is None else scores * scales[0][batch.outputs]


def reconstruction_loss(
    A: torch.Tensor,
    batch: UserBatch,
    relu_cap: float | None = None,
    scales: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over users × outputs of (x/‖x‖ − p/‖p‖)², with p = ReLU(x·A·Aᵀ − x): see `predict`.

    Expanded as ‖x̂‖² + ‖p̂‖² − 2 x̂·p̂, so that the target x is never made dense. `relu_cap` bounds
    p from above (the released code trains its sparse model with 6).
    """
    prediction = functional.relu(predict(A, batch, scales))
    if relu_cap is not None:
        prediction = prediction.clamp(max=relu_cap)
    norm = prediction.norm(dim=1)
    at_seen = prediction[batch.rows, batch.positions]
    overlap = torch.zeros_like(norm).index_add(0, batch.rows, at_seen)
    cosine = overlap / (norm.clamp_min(TINY) * batch.lengths.sqrt())
    per_user = 1.0 + (norm > 0) - 2.0 * cosine
    return per_user.sum() / (batch.size * len(batch.outputs))
