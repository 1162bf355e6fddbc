"""The one training loop: stages of epochs of batches, with a prune before each stage."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from tqdm import tqdm

from celsa_lib.errors import TrainingError, check_count, check_positive
from celsa_lib.training.batches import shuffled_batches
from celsa_lib.training.device import resolve_device
from celsa_lib.training.objective import reconstruction_loss, top_k_mask, unit_rows


@dataclass(frozen=True)
class Stage:
    """`epochs` epochs with `nnz` nonzeros a row; `moving`: the support is chosen anew each step."""

    nnz: int
    epochs: int
    moving: bool = False


@dataclass(frozen=True)
class TrainingOptions:
    """What the loop needs besides the data and the stages; validated on construction.

    epsilon is NAdam's ε. The loss is a mean over users × items, so gradients are about 1e-7 and ε
    damps them: it is part of the method (Keras' default 1e-7, not torch's 1e-8).
    """

    batch_size: int = 1024
    learning_rate: float = 0.1
    epsilon: float = 1e-7
    seed: int = 0
    device: str = "auto"
    relu_cap: float | None = None
    progress: bool = True

    def __post_init__(self):
        check_count(batch_size=self.batch_size)
        check_count(0, seed=self.seed)
        check_positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        if self.relu_cap is not None:
            check_positive(relu_cap=self.relu_cap)


def initial_embeddings(n_items: int, width: int, seed: int) -> torch.Tensor:
    """Xavier-uniform start, items × width; drawn on the CPU so that every device starts alike."""
    bound = (6.0 / (n_items + width)) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(n_items, width).uniform_(-bound, bound, generator=generator)


def train_embeddings(
    X: csr_matrix, width: int, stages: list[Stage], restart: bool, options: TrainingOptions
) -> tuple[torch.Tensor, list[dict]]:
    """Train A on X (users × items) through `stages`: (unit sparse rows on the CPU, history).

    Before a stage the `nnz` largest |values| of each row survive; with `restart` they go back to
    their initial values (Section 3). Pruned entries get no gradient, so they stay zero. The history
    has one entry an epoch: nnz, mean loss, active (latents used by at least one item).
    Raises TrainingError if the loss is not finite.
    """
    device = resolve_device(options.device)
    rng = np.random.default_rng(options.seed)
    initial = initial_embeddings(X.shape[1], width, options.seed).to(device)
    A = initial.clone()
    history: list[dict] = []
    total = sum(stage.epochs for stage in stages)
    with tqdm(total=total, unit="epoch", disable=not options.progress, leave=False) as bar:
        for stage in stages:
            mask = None if stage.moving else top_k_mask(A, stage.nnz)
            if mask is not None:
                A = (initial if restart else A) * mask  # a new tensor: initial stays as it was
            A = A.requires_grad_()
            optimizer = torch.optim.NAdam([A], lr=options.learning_rate, eps=options.epsilon)
            for _ in range(stage.epochs):
                loss = _epoch(X, A, mask, stage.nnz, optimizer, rng, options)
                if not np.isfinite(loss):
                    raise TrainingError(
                        f"the loss became {loss} at nnz {stage.nnz}, epoch {len(history) + 1} of "
                        f"{total}; lower learning_rate (now {options.learning_rate})"
                    )
                active = int(_sparse(A.detach(), mask, stage.nnz).any(dim=0).sum())
                history.append({"nnz": stage.nnz, "loss": loss, "active": active})
                bar.set_postfix(nnz=stage.nnz, loss=f"{loss:.3g}")
                bar.update()
            A = A.detach()
    last = stages[-1]
    return unit_rows(_sparse(A, mask, last.nnz)).cpu(), history


def _sparse(A: torch.Tensor, mask: torch.Tensor | None, nnz: int) -> torch.Tensor:
    """A with its support applied: the stage's fixed `mask`, or its present top `nnz`."""
    if A.shape[1] == nnz:
        return A
    return A * (top_k_mask(A.detach(), nnz) if mask is None else mask)


def _epoch(X, A, mask, nnz, optimizer, rng, options: TrainingOptions) -> float:
    """One pass over the users; the mean loss of its batches."""
    losses = []
    for batch in shuffled_batches(X, options.batch_size, rng, A.device):
        optimizer.zero_grad(set_to_none=True)
        loss = reconstruction_loss(unit_rows(_sparse(A, mask, nnz)), batch, options.relu_cap)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())
