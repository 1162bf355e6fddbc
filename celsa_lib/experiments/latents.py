"""Which latents are in use after each epoch, where there are hardly enough places for all."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.models import CompressedELSA
from celsa_lib.models.schedules import make_schedule
from celsa_lib.training import Callback
from celsa_lib.training.rows import Rows

FEW_WIDTH, FEW_NNZ, EPOCHS = 256, 2, 3
DATA = {"n_users": 600, "n_items": 200, "n_segments": 20}  # 200 · 2 places for 256 latents


def few_places(profile: str = "laptop", seed: int = 0) -> ExperimentConfig:
    """A synthetic set, small in every profile, where latents die; both schedules are as long."""
    total = sum(stage.epochs for stage in make_schedule("exponential", FEW_WIDTH, FEW_NNZ, EPOCHS))
    methods = tuple(
        MethodConfig("CompressedELSA", {"width": FEW_WIDTH, "nnz": FEW_NNZ, "schedule": schedule,
                                        "epochs": epochs, "batch_size": 128})
        for schedule, epochs in (("constant", total), ("exponential", EPOCHS))
    )  # fmt: skip
    return ExperimentConfig("synthetic", methods, n_test=1, data_params=DATA, seeds=(seed,),
                            profile=profile)  # fmt: skip


def latents_in_use(config: ExperimentConfig, X: csr_matrix) -> list[dict]:
    """Train every method of the config on all users of X (users × items), with its first seed.

    A dict per method: schedule; nnz, a list by epoch; used, by epoch a string with "1" for a latent
    that at least one item uses and "0" for a dead one. Raises CelsaError as the models do.
    """
    runs = []
    for method in config.methods:
        used = []
        options = {"seed": config.seeds[0], "progress": False, "callbacks": [_UsedLatents(used)]}
        model = CompressedELSA(**method.params, **options).fit(X)
        nnz = [epoch["nnz"] for epoch in model.history_]
        runs.append({"schedule": model.schedule, "nnz": nnz, "used": used})
    return runs


class _UsedLatents(Callback):
    """Notes in `used`, after each epoch, which latents at least one item uses."""

    def __init__(self, used: list[str]):
        self.used = used

    def epoch(self, entry: dict, rows: Rows) -> None:
        """See Callback."""
        alive = np.bincount(rows.cols.flatten(), minlength=rows.width) > 0
        self.used.append("".join("01"[bit] for bit in alive.astype(int)))
