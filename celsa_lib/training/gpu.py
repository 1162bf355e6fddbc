"""Training on a GPU: which steps a stage takes."""

from celsa_lib.training.gpu_dense import DenseGpuTrainer, MovingGpuTrainer
from celsa_lib.training.gpu_sparse import SparseGpuTrainer
from celsa_lib.training.gpu_steps import Epochs, GpuTrainer
from celsa_lib.training.memory import takes_loops
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.rows import Rows


def gpu_trainer(
    rows: Rows, optimiser: Nadam, stage: Stage, options: TrainingOptions, epochs: Epochs
) -> GpuTrainer:
    """What trains a stage: k-sparse kernels up to the density where products overtake them.

    A support that moves has products: kernels would need it by latent, sorted anew at every step.
    """
    if stage.dynamic:
        return MovingGpuTrainer(rows, optimiser, stage, options, epochs)
    few = takes_loops(rows.nnz, rows.starts is not None, rows.width, options.precision)
    chosen = SparseGpuTrainer if few else DenseGpuTrainer
    return chosen(rows, optimiser, options, epochs)
