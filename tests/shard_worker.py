"""What each of several processes does for tests/test_shards.py; torchrun starts them.

python -m torch.distributed.run --standalone --nproc-per-node 2 tests/shard_worker.py FOLDER
"""

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.training import Callback, Checkpoint, TrainingOptions
from celsa_lib.training.backends import make_backend, sharded
from celsa_lib.training.batches import drawn_outputs, user_batch
from celsa_lib.training.objective import top_k_columns, unit_rows
from celsa_lib.training.rows import Rows
from celsa_lib.training.shard import Shard

SHARED = {"batch_size": 64, "progress": False, "epochs": 3}
CASES = {
    "recommended": {"nnz": 4, "recipe": "recommended"},
    "paper": {"width": 24, "nnz": 3},
    "constant": {
        "width": 24, "nnz": 3, "schedule": "constant", "max_outputs": 52, "relu_cap": 0.4,
    },
    "regrown": {"nnz": 4, "recipe": "recommended", "regrowth": 0.5},
    "hashed": {"width": 24, "nnz": 3, "support": "hashed", "regrowth": 0.5, "relu_cap": 0.8},
    "from a start": {"nnz": 4, "recipe": "recommended"},
}  # fmt: skip
# Users, most outputs, bytes of scores that are held.
STEPS = {
    "all outputs": (70, None, 2**24),
    "some outputs": (9, 52, 2**24),
    "in tiles": (170, None, 4 * 32 * 40),
}
CHECKPOINT = "run.npz"
GOES_ON = "recommended"  # the case that is stopped, and goes on


def some_histories() -> csr_matrix:
    """300 users × 60 items, of which the first are popular."""
    rng = np.random.default_rng(7)
    shares = 1.0 / (5 + np.arange(60))
    return csr_matrix((rng.random((300, 60)) < 12 * shares / shares.sum()).astype(np.float32))


def fitted(case: str, backend: str, callbacks=()) -> dict[str, np.ndarray]:
    """Rows, scales and history of a small model trained on `some_histories`."""
    parameters = SHARED | CASES[case] | {"backend": backend, "callbacks": callbacks}
    model = cl.CompressedELSA(**parameters)
    start = {"start": rows_of_fifty()} if case == "from a start" else {}
    model.fit(some_histories(), **start)
    found = model.item_embeddings
    scales = np.ones(len(found.item_ids)) if found.input_scales is None else found.input_scales
    history = np.array([[entry["loss"], entry["active"]] for entry in model.history_])
    return {"rows": found.matrix.toarray(), "scales": scales, "history": history}


@cache
def rows_of_fifty() -> cl.ItemEmbeddings:
    """Rows of all items but the last ten, as one process trains them."""
    model = cl.CompressedELSA(**SHARED | CASES["recommended"] | {"epochs": 1})
    return model.fit(some_histories()[:, :50]).item_embeddings


def one_step(
    backend: str, n_users: int, most_outputs: int | None, held: int
) -> dict[str, np.ndarray] | None:
    """Loss, gradient and slopes of random rows, with dropout; None in all processes but one."""
    X, options = some_histories(), TrainingOptions(backend=backend, relu_cap=0.5)
    shard = Shard.of(X, options)
    own = slice(shard.first, shard.last)
    A = torch.randn(60, 24, generator=torch.Generator().manual_seed(0))
    cols = top_k_columns(A, 5)
    unit = unit_rows(A.gather(1, cols)) * torch.linspace(1.0, 1.5, 60)[:, None]
    rows = Rows(unit[own].contiguous(), cols[own].int().contiguous(), 24)
    scales = torch.linspace(0.5, 1.5, 120).view(2, 60)[:, own].contiguous()
    users = np.arange(n_users)
    outputs = drawn_outputs(X, users, most_outputs, False, np.random.default_rng(0))
    batch = user_batch(X, users, torch.device("cpu"), outputs, (3, 0.4))
    backend = make_backend(rows, options, shard=shard)
    with patch.object(sharded, "SCORES_HELD", held):
        for _ in range(2):  # nothing is left over from the call before
            loss, gradient = backend(rows.values, batch, scales)
    found = {"of values": gradient.numpy(), "of scales": backend.slopes.numpy()}
    whole = shard.whole(found)
    return whole and {"loss": np.array(loss)} | whole


class Stop(Callback):
    """Ends a run after so many epochs."""

    def __init__(self, epochs: int):
        self.left = epochs

    def pause(self, run) -> None:
        """See Callback."""
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def main(folder: Path) -> None:
    """Everything that the tests compare, in files that process 0 writes; one run is left stopped.

    A checkpoint that lies in the folder is gone on from before.
    """
    torch.distributed.init_process_group("gloo")
    found = {name: one_step("sharded", *about) for name, about in STEPS.items()}
    if (folder / CHECKPOINT).exists():
        found["gone on"] = fitted(GOES_ON, "sharded", [Checkpoint(folder / CHECKPOINT)])
    found |= {case: fitted(case, "sharded") for case in CASES}
    with suppress(KeyboardInterrupt):
        fitted(GOES_ON, "sharded", [Checkpoint(folder / CHECKPOINT), Stop(1)])
    if torch.distributed.get_rank() == 0:
        for name, arrays in found.items():
            np.savez(folder / f"{name}.npz", **arrays)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
