"""How much a study has to compute, known before its data is there.

On a GPU a step is three large products of 2·m·n·d operations, for m users, n items and width d,
however few nonzeros are left: page *Cost* of the book.
"""

from collections import defaultdict
from dataclasses import dataclass

from celsa_lib.data import dataset_info
from celsa_lib.experiments.config import GRADIENT_METHODS, ExperimentConfig, MethodConfig
from celsa_lib.experiments.fits import path_of
from celsa_lib.experiments.studies import study
from celsa_lib.models import make_schedule
from celsa_lib.training.plan import make_plan

SUSTAINED = 10e12  # operations a second in single precision that a mid-range GPU can keep up
PER_EPOCH = 3 * 2  # of a dense step, a user, item and number of a row
PER_CODE = 2 * 2  # of the autoencoder: a product with its encoder and the gradient of it

Job = tuple[MethodConfig, int]  # what to train, with which seed


@dataclass(frozen=True)
class Work:
    """Operations of the large products in training; matrices, items × items, to invert."""

    operations: float
    inversions: int

    def gpu_minutes(self, sustained: float = SUSTAINED) -> float:
        """Training on a GPU with so many operations a second; inversions, on the CPU, come on top.

        Small models take longer: they wait for memory, not for products.
        """
        return self.operations / sustained / 60


def work_of_study(name: str) -> Work:
    """`work_of` a study as it is stored, on its data before filtering. Raises ConfigError."""
    found = study(name)
    info = dataset_info(found.dataset)
    return work_of(found.config(), info.users, info.items)


def work_of(config: ExperimentConfig, users: int, items: int) -> Work:
    """Trying every candidate, then reporting one of each method.

    A lower bound: sizes of Compressed ELSA that choose different rates are trained apart, and of
    the autoencoder only the encoder's products are counted.
    """
    first = config.seeds[:1]
    tuned = [method for method in config.methods if method.has_choice]
    tried = [(candidate, *first) for method in tuned for candidate in method.candidates()]
    reported = [
        (method.candidates()[0], seed)
        for method in config.methods
        for seed in (config.seeds if method.name in GRADIENT_METHODS else first)
    ]
    rounds = (tried, reported)
    return Work(
        operations=float(sum(_operations(jobs, users, items) for jobs in rounds)),
        inversions=sum(len(_inverted(jobs)) for jobs in rounds),
    )


def _operations(jobs: list[Job], users: int, items: int) -> int:
    """Of what is trained by gradient; what `Fits` shares is counted once."""
    epochs_at: dict = {}  # of a width, for each model or path
    codes, paths = 0, defaultdict(list)
    for number, (method, seed) in enumerate(jobs):
        name, params = method.name, method.params
        if name == "ELSA":
            epochs_at[number] = params["width"], params["epochs"]
        elif name == "SparseAutoencoderELSA":
            base = seed, params["width"], params["learning_rate"]
            epochs_at[base] = params["width"], params["epochs"]
            codes += (
                PER_CODE * items * params["width"] * params["code_width"] * params["sae_epochs"]
            )
        elif name == "CompressedELSA":
            paths[path_of(name, params, seed)].append(params)
    for key, sizes in paths.items():
        epochs_at[key] = sizes[0]["width"], _epochs(sizes)
    return codes + sum(PER_EPOCH * users * items * width * n for width, n in epochs_at.values())


def _epochs(sizes: list[dict]) -> int:
    """Epochs of one path of Compressed ELSA through all `sizes`."""
    schedules = [
        make_schedule(p.get("schedule", "exponential"), p["width"], p["nnz"], p["epochs"])
        for p in sizes
    ]
    return sum(node.stage.epochs for node in make_plan(schedules).nodes)


def _inverted(jobs: list[Job]) -> set[tuple]:
    """EASE and pruned EASE ask for their inversions apart, each once a regularisation."""
    return {(job.name, job.params["reg"]) for job, _ in jobs if "reg" in job.params}
