"""How much a study has to compute, known before its data is there.

On a GPU a step is three large products of 2·m·n·d operations, for m users, n items and width d,
however few nonzeros are left: page *Cost* of the book.
"""

from collections import defaultdict
from collections.abc import Iterable

import pandas as pd

from celsa_lib.data import dataset_info
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.experiments.fit_cache import path_of
from celsa_lib.experiments.studies import study
from celsa_lib.models import make_schedule
from celsa_lib.models.recipes import DENSE_ROWS, PAPER_RECIPE
from celsa_lib.models.registry import by_name
from celsa_lib.results import Result
from celsa_lib.training.plan import make_plan

SUSTAINED = 10e12  # operations per second in single precision that a mid-range GPU can keep up
PER_EPOCH = 3 * 2  # of a dense step, a user, item and number of a row
PER_CODE = 2 * 2  # of the autoencoder: a product with its encoder and the gradient of it

Job = tuple[MethodConfig, int]  # what to train, with which seed


def gpu_minutes(name: str) -> int:
    """Least minutes of training the study `name` on a GPU, 1 or more, on its data before filtering.

    EASE's inversions, on the CPU, come on top; small models take longer, as they wait for memory.
    Raises ConfigError.
    """
    return max(1, round(_operations_of_study(name) / SUSTAINED / 60))


def minutes_on_gpu(names: Iterable[str], stored: Result) -> pd.DataFrame:
    """Study and minutes of its training on the GPU of benchmarks/gpu_cost.py (`stored`), by line.

    At the rate of the paper's whole training there. Dense operations that it was spared by sparse
    stages count as made: others are spared them too.
    """
    (trained,) = stored.select(section="training", what="paper", device="cuda")
    users, items = stored.manifest["training_users"], stored.manifest["items"]
    made = _operations([(MethodConfig("CompressedELSA", trained["params"]), 0)], users, items)
    found = []
    for name in names:
        work = _operations_of_study(name)
        found.append({"study": name, "minutes": round(trained["seconds"] * work / made / 60)})
    return pd.DataFrame(found)


def _operations_of_study(name: str) -> int:
    """`operations_of` its configuration, on as many users and items as its data is known to have.

    Raises ConfigError.
    """
    config = study(name).config()
    info, given = dataset_info(config.dataset), config.data_params
    users, items = given.get("n_users", info.users), given.get("n_items", info.items)
    return operations_of(config, users, items)


def operations_of(config: ExperimentConfig, users: int, items: int) -> int:
    """Operations of the large products: every candidate tried, then one of each method reported.

    Of rows that begin dense, regularised or not: anchored ones train in seconds. A lower bound:
    sizes of Compressed ELSA that choose different rates are trained apart, and of
    the autoencoder only the encoder's products are counted.
    """
    first = config.seeds[:1]
    dense = [method for method in config.methods if _begins_dense(method)]
    tuned = [method for method in dense if method.has_choice]
    tried = [(candidate, *first) for method in tuned for candidate in method.candidates()]
    reported = [
        (method.candidates()[0], seed)
        for method in dense
        for seed in (config.seeds[: method.n_seeds] if by_name(method.name).trained else first)
    ]
    return sum(_operations(jobs, users, items) for jobs in (tried, reported))


def _begins_dense(method: MethodConfig) -> bool:
    """Whether its rows do; those of Compressed ELSA may be anchored or at hashed places instead."""
    recommended = method.params.get("recipe") == "recommended"
    support = method.params.get("support", "anchored" if recommended else "pruned")
    return method.name != "CompressedELSA" or support not in ("anchored", "hashed")


def _operations(jobs: list[Job], users: int, items: int) -> int:
    """Of what is trained by gradient; what `FitCache` shares is counted once."""
    epochs_at: dict = {}  # of a width, for each model or path
    codes, paths = 0, defaultdict(list)
    for number, (method, seed) in enumerate(jobs):
        name, params = method.name, method.params
        if name == "ELSA":
            epochs_at[number] = params["width"], _epochs_of_dense(params)
        elif name == "SparseAutoencoderELSA":
            base = seed, params["width"], params.get("recipe"), params.get("learning_rate")
            epochs_at[base] = params["width"], _epochs_of_dense(params)
            codes += (
                PER_CODE * items * params["width"] * params["code_width"] * params["sae_epochs"]
            )
        elif name == "CompressedELSA":
            paths[path_of(name, params, seed)].append(params)
    for key, sizes in paths.items():
        epochs_at[key] = sizes[0]["width"], _epochs(sizes)
    return codes + sum(PER_EPOCH * users * items * width * n for width, n in epochs_at.values())


def _epochs_of_dense(params: dict) -> int:
    """Epochs of dense rows; where they are not given, those of the recipe."""
    recommended = params.get("recipe") == "recommended"
    return params.get("epochs", (DENSE_ROWS if recommended else PAPER_RECIPE)["epochs"])


def _epochs(sizes: list[dict]) -> int:
    """Epochs of one path of Compressed ELSA through all `sizes`."""
    schedules = [
        make_schedule(p.get("schedule", "exponential"), p["width"], p["nnz"], p["epochs"])
        for p in sizes
    ]
    return sum(node.stage.epochs for node in make_plan(schedules).nodes)
