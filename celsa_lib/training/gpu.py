"""Training on a GPU: which steps a stage takes."""

import torch

from celsa_lib.errors import TrainingError
from celsa_lib.training.gpu_dense import DenseGpuTrainer
from celsa_lib.training.gpu_sparse import SparseGpuTrainer
from celsa_lib.training.gpu_steps import Epochs, GpuTrainer
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows

# Density of rows up to which loops over nonzeros are faster than products: page "Training cost".
DENSITY_OF_DENSE = {"float32": 0.1, "tf32": 0.024, "bfloat16": 0.018}


def gpu_trainer(
    rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs
) -> GpuTrainer:
    """What trains a stage: k-sparse kernels up to the density where products overtake them.

    Raises TrainingError where the GPU's memory is too small.
    """
    few = rows.starts is not None or rows.nnz <= DENSITY_OF_DENSE[options.precision] * rows.width
    chosen = SparseGpuTrainer if few else DenseGpuTrainer
    if epochs.device.type == "cuda":
        check_memory(rows, epochs, few)
    return chosen(rows, optimiser, options, epochs)


def check_memory(rows: Rows, epochs: Epochs, sparse: bool) -> None:
    """Raise TrainingError with the bytes needed where the GPU's free memory is too small."""
    torch.cuda.empty_cache()
    width, lanes, n_items = rows.width, epochs.lanes, epochs.n_items
    of_rows = 5 * rows.values.numel() if sparse else 3 * n_items * width
    needed = 4 * (of_rows + lanes * (2 * width + 2 * n_items))
    free, total = torch.cuda.mem_get_info(epochs.device)
    if needed > free:
        raise TrainingError(
            f"a step of {epochs.batch_size} users needs {needed / 1e9:.1f} GB on the GPU, and "
            f"{free / 1e9:.1f} of its {total / 1e9:.1f} GB are free; lower batch_size or width"
        )
