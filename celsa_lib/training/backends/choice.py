"""Which backend a stage takes."""

import os
from importlib.util import find_spec

import torch
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError
from celsa_lib.training.backends.dense import DenseBackend
from celsa_lib.training.backends.protocol import Backend, Memory
from celsa_lib.training.backends.reference import ReferenceBackend
from celsa_lib.training.backends.sharded import ShardedBackend
from celsa_lib.training.backends.sparse import ListBackend, SparseBackend, lists_are_short
from celsa_lib.training.device import density_of_dense, resolve_device
from celsa_lib.training.options import ON_CPU, TrainingOptions
from celsa_lib.training.rows import Rows
from celsa_lib.training.shard import Shard


def not_triton_because(options: TrainingOptions, device: torch.device) -> str:
    """Why steps on a GPU are not Triton's kernels, for a reader; "" where they are."""
    if options.backend not in ("auto", "triton"):
        return f'backend "{options.backend}" was asked for'
    if options.backend == "auto" and device.type != "cuda":
        return "there is no CUDA GPU"
    return "" if find_spec("triton") else "Triton is not installed"


def training_device(options: TrainingOptions, ragged: bool) -> torch.device:
    """The device of a training by `options`. Raises ConfigError as `resolve_device`.

    ragged: of rows of different lengths, which on a GPU only Triton's kernels train: "auto" takes
    the CPU where these cannot run.
    """
    device = resolve_device("cpu" if options.backend in ON_CPU else options.device)
    left = ragged and options.device == "auto" and not_triton_because(options, device)
    return torch.device("cpu") if left else device


def on_gpu(options: TrainingOptions, device: torch.device) -> bool:
    """Whether steps are Triton's kernels: on a CUDA GPU, unless another backend is asked for.

    Raises ConfigError for backend "triton" where they cannot run.
    """
    reason = not_triton_because(options, device)
    if options.backend != "triton":
        return not reason
    if reason:
        raise ConfigError(f'backend "triton" cannot train here: {reason}; choose "dense"')
    if device.type != "cuda" and not os.environ.get("TRITON_INTERPRET"):
        raise ConfigError(f'backend "triton" runs on a CUDA GPU, not on {device}; choose "auto"')
    return True


def make_backend(
    rows: Rows,
    options: TrainingOptions,
    memory: Memory | None = None,
    X: csr_matrix | None = None,
    shard: Shard | None = None,
) -> Backend:
    """The backend of a stage with the support of `rows` of `shard` (None: all), by its options.

    "auto": loops over nonzeros on a CPU up to the density where dense products overtake them. Loops
    go by lists where those of the histories X (users × items) are short; not without X. Raises
    ConfigError for rows of different lengths where nothing trains them.
    """
    chosen, on_cpu = options.backend, rows.values.device.type == "cpu"
    if chosen == "auto":
        loops = on_cpu and not options.repeat_negatives
        few = rows.starts is not None or (
            rows.nnz <= density_of_dense(options.precision) * rows.width
        )
        chosen = "sparse" if loops and few else "dense"
    if rows.starts is not None and (chosen == "dense" or not on_cpu):
        raise ConfigError(
            f'backend "{chosen}" on {rows.values.device} does not train anchored rows with these '
            f'options; take backend "auto" and device "cpu", without repeat_negatives'
        )
    if chosen == "sharded":
        shard = shard or Shard((0, len(rows.row_starts()) - 1))
        return ShardedBackend(rows, shard, options.relu_cap)
    if chosen == "sparse":
        n_items = len(rows.row_starts()) - 1
        n_outputs = min(n_items, options.max_outputs or n_items)
        by_lists = X is not None and lists_are_short(rows, X)
        kind = ListBackend if by_lists else SparseBackend
        return kind(rows.cols, rows.width, n_outputs, options.relu_cap, rows.starts)
    if chosen == "dense":
        return DenseBackend(rows.cols, rows.width, options.relu_cap, options.precision, memory)
    return ReferenceBackend(rows.cols, rows.width, options.relu_cap, rows.starts)
