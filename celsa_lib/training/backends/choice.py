"""Which backend a stage takes."""

from celsa_lib.training.backends.dense import DenseBackend
from celsa_lib.training.backends.protocol import Backend, Memory
from celsa_lib.training.backends.reference import ReferenceBackend
from celsa_lib.training.backends.sparse import SparseBackend
from celsa_lib.training.device import density_of_dense
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows


def make_backend(rows: Rows, options: TrainingOptions, memory: Memory | None = None) -> Backend:
    """The backend of a stage with the support of `rows`, by `options.backend`.

    "auto": loops over nonzeros on a CPU up to the density where dense products overtake them.
    """
    chosen, on_cpu = options.backend, rows.values.device.type == "cpu"
    if chosen == "auto":
        loops = on_cpu and not options.repeat_negatives
        few = rows.nnz <= density_of_dense(options.precision) * rows.width
        chosen = "sparse" if loops and few else "dense"
    if chosen == "sparse":
        n_outputs = min(len(rows.values), options.max_outputs or len(rows.values))
        return SparseBackend(rows.cols, rows.width, n_outputs, options.relu_cap)
    if chosen == "dense":
        return DenseBackend(rows.cols, rows.width, options.relu_cap, options.precision, memory)
    return ReferenceBackend(rows.cols, rows.width, options.relu_cap)
