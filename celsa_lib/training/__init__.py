"""One training loop for every model trained by gradient: stages, engines, optimiser, checkpoint."""

from celsa_lib.training.device import resolve_device
from celsa_lib.training.loop import train_embeddings, train_paths
from celsa_lib.training.objective import sparsify_rows, top_k_columns, top_k_mask, unit_rows
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.rows import initial_embeddings

__all__ = [
    "Stage",
    "TrainingOptions",
    "initial_embeddings",
    "resolve_device",
    "sparsify_rows",
    "top_k_columns",
    "top_k_mask",
    "train_embeddings",
    "train_paths",
    "unit_rows",
]
