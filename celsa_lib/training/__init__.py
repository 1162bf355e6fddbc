"""One training loop for every model trained by gradient: batches, objective, stages."""

from celsa_lib.training.device import resolve_device
from celsa_lib.training.loop import Stage, TrainingOptions, train_embeddings
from celsa_lib.training.objective import sparsify_rows, top_k_mask, unit_rows

__all__ = [
    "Stage",
    "TrainingOptions",
    "resolve_device",
    "sparsify_rows",
    "top_k_mask",
    "train_embeddings",
    "unit_rows",
]
