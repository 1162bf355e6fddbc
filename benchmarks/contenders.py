"""Who takes part in the training benchmark: each makes one step, batch included, per call."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import torch
from torch.nn import functional
from workload import Case

from celsa_lib.training.batches import user_batch
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.stage import StageTrainer

LEARNING_RATE, EPSILON = 0.1, 1e-7


class Celsa:
    """This library; `backend` and `precision` as in TrainingOptions."""

    def __init__(self, case: Case, backend: str = "auto", precision: str = "float32"):
        options = TrainingOptions(
            backend=backend, precision=precision, learning_rate=LEARNING_RATE, epsilon=EPSILON
        )
        rows = case.rows()
        self.X, self.rng = case.interactions(), np.random.default_rng(2)
        self.n_outputs = case.outputs
        optimiser = Nadam.start(rows.values)
        self.trainer = StageTrainer(rows, optimiser, Stage(case.nnz, 1), options, self.X)

    def step(self) -> None:
        """One step on all users."""
        outputs, n_items = None, self.X.shape[1]
        if self.n_outputs is not None:
            seen = np.unique(self.X.indices)
            others = np.setdiff1d(np.arange(n_items), seen)
            others = self.rng.choice(others, max(0, self.n_outputs - len(seen)), replace=False)
            outputs = np.sort(np.concatenate([seen, others]))
        users = np.arange(self.X.shape[0])
        self.trainer.step(user_batch(self.X, users, torch.device("cpu"), outputs))


class MaskedDense:
    """The paper's formula as it is written: dense x, masked dense A, autograd, torch's NAdam.

    The mask stays the same within a stage, so no time is lost on finding it.
    """

    def __init__(self, case: Case):
        rows, self.X = case.rows(), case.interactions()
        shape = case.items, case.width
        self.mask = torch.zeros(shape).scatter_(1, rows.cols.long(), 1.0)
        A = torch.zeros(shape).scatter_(1, rows.cols.long(), rows.values)
        self.A = A.requires_grad_()
        self.optimiser = torch.optim.NAdam([self.A], lr=LEARNING_RATE, eps=EPSILON)

    def step(self) -> None:
        """One step on all users."""
        x = torch.from_numpy(self.X.toarray())
        self.optimiser.zero_grad()
        A = functional.normalize(self.A * self.mask, dim=1)
        p = functional.relu(x @ A @ A.T - x)
        loss = functional.mse_loss(functional.normalize(p, dim=1), functional.normalize(x, dim=1))
        loss.backward()
        self.optimiser.step()


class Compresso:
    """The authors' package: "dense" or "coo" fine-tuning of a fixed support, or "mask search".

    With every column kept it is their dense ELSA, whatever the backend.
    """

    def __init__(self, case: Case, backend: str):
        from compresso import SRPParam
        from compresso_recsys.models._batching import InteractionBatchSampler
        from compresso_recsys.models.elsa import ELSACompressionConfig, ELSAConfig, ELSATrainer

        compression, dense = None, case.nnz == case.width
        if not dense:
            fine_tuning = "dense" if backend == "mask search" else backend
            compression = ELSACompressionConfig(
                case.nnz, (case.width, case.nnz), sparse_finetune_backend=fine_tuning
            )
        config = ELSAConfig(
            case.width, case.users, lr=LEARNING_RATE, compression=compression, show_progress=False
        )
        self.trainer = ELSATrainer(config).build(case.items)
        if backend == "mask search":
            self.trainer.elsa.masked_A.stage_completed = True
            self.trainer.elsa.masked_A.rewind()  # on to the stage of `nnz`
        elif not dense:  # as their own loading of a checkpoint installs a support
            rows, model = case.rows(), self.trainer.elsa
            shape = case.items, case.width
            model.masked_A, model.phase = None, "sparse_finetune"
            model.sparse_A = SRPParam(cols=rows.cols.long(), values=rows.values, shape=shape)
            self.trainer.sparsity_controller = None
            self.trainer._reset_optimizer()
        self.batches = InteractionBatchSampler(
            case.interactions(), device="cpu", batch_size=case.users, shuffle=False,
            max_output=None, seed=0,
        )  # fmt: skip

    def step(self) -> None:
        """One step on all users."""
        batch = self.batches[0]
        self.trainer.train_step(batch.x, batch.sources, batch.candidates)


CONTENDERS = {
    "celsa": (Celsa, {}),
    "celsa, sparse kernels": (Celsa, {"backend": "sparse"}),
    "celsa, dense products": (Celsa, {"backend": "dense"}),
    "celsa, dense products, bfloat16": (Celsa, {"backend": "dense", "precision": "bfloat16"}),
    "masked dense torch": (MaskedDense, {}),
    "compresso, dense": (Compresso, {"backend": "dense"}),
    "compresso, coo": (Compresso, {"backend": "coo"}),
    "compresso, mask search": (Compresso, {"backend": "mask search"}),
}


def available(case: Case) -> list[str]:
    """The peers and ourselves; the authors' package where it is installed (extra `bench`)."""
    names = ["celsa", "masked dense torch"]
    if find_spec("compresso_recsys") is not None:
        dense = ["compresso, dense"]
        sparse = ["compresso, dense", "compresso, coo", "compresso, mask search"]
        names += dense if case.nnz == case.width else sparse
    return names


def make(name: str, case: Case):
    """The contender `name`, ready to step."""
    cls, options = CONTENDERS[name]
    return cls(replace(case), **options)
