"""What data size decides: Compressed ELSA beside pruned EASE with less to learn from.

Goodbooks-10k partial has about a fifth of the paper's ratings, and its test users' histories are
whole. So two things are changed, one at a time: how much is learned from, and who is tested. By who
is tested the recommended setting is held against whole and pruned models too.
"""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset
from celsa_lib.evaluation import evaluate, standard_error
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.profiles import (
    Settings,
    configuration,
    further_baselines,
    methods_for,
    recommended_methods,
    settings_for,
)
from celsa_lib.experiments.run import TUNED_ON, run_and_keep
from celsa_lib.experiments.task import Task, folds_of, prepare
from celsa_lib.models.registry import RECOMMENDED, by_name
from celsa_lib.results import DATA_SIZE, Result, load_result, save_result
from celsa_lib.split import Fold, keep, split_users

TWO_METHODS = ("CompressedELSA", "PrunedEASE")
EVERYTHING = "everything"
TEST, THINNED, KEPT_OUT = "test users", "test users, thinned", "users kept out"
THIN = 0.2  # Goodbooks-10k partial has about a fifth of the ratings
SERVED_AT = (128, 64)  # bytes per item of what is trained on everything alone
SERVED = (RECOMMENDED, "EASE, one threshold", "EASE, threshold, refitted", "EDLAE, one threshold")
SHORTEST = 5  # interactions of a user, as in the protocol


def run_data_size(dataset: str, profile: str = "laptop", out: str | Path | None = None) -> Result:
    """A row for each training set, group of test users, size and method; users' nDCG@100 of each.

    Methods choose on validation users of the same training set. Smaller sets are read more often,
    so that the number of gradient steps stays. A method that `out` has already on a training set,
    of the same users and data, is not run on it again. Raises CelsaError.
    """
    config = data_size_config(dataset, profile)
    data, task = prepare(config)
    result = Result(make_manifest(config, data, DATA_SIZE))
    result.rows, result.users, runs = _finished(out, result.manifest)
    result.manifest["runs"] = runs | result.manifest["runs"]
    X, groups = divide(config, task)
    for name, part in training_sets(X, config.split_seed).items():
        longer = with_steps_of(X.shape[0], part.shape[0], config)
        missing = [
            m for m in longer.methods if _is_wanted(m, name) and not _is_among(m, name, result.rows)
        ]
        if missing:
            rows, users = _rows_of(replace(longer, methods=missing), data, name, part, groups)
            result.rows += [row | {"run": result.run} for row in rows]
            result.users |= users
            seconds = {(row["trained on"], row["run"]): row["seconds"] for row in result.rows}
            result.manifest["seconds"] = round(sum(seconds.values()), 1)
            if out:
                save_result(result, out)
    return result


def data_size_config(dataset: str, profile: str) -> ExperimentConfig:
    """Two methods at every size, tuned, width and epochs scaled down as in the ablations; then what
    is trained on everything alone.
    """
    settings = settings_for(profile, dataset).scaled_down()
    methods = methods_for(settings, with_sae=False, tuned=True)
    both = [m for m in methods if m.name in TWO_METHODS]
    return configuration(dataset, profile, [*both, *served_methods(settings)])


def served_methods(settings: Settings) -> list[MethodConfig]:
    """The recommended setting, also with users drawn evenly; whole EASE; pruned baselines."""
    served = replace(settings, budgets=SERVED_AT)
    ours = recommended_methods(served) + further_baselines(served)
    chosen = [m for m in ours if by_name(m.name, compressed=True, params=m.params).label in SERVED]
    even = [
        replace(m, params=m.params | {"length_exponent": 0.0})
        for m in chosen
        if by_name(m.name, params=m.params).label == RECOMMENDED
    ]
    return [*chosen, *even, MethodConfig("EASE", grid={"reg": settings.regs})]


def _is_wanted(method: MethodConfig, name: str) -> bool:
    """Whether a method is trained on the training set `name`."""
    ours = by_name(method.name, compressed=True, params=method.params).label in SERVED
    return name == EVERYTHING or (method.name in TWO_METHODS and not ours)


def _is_among(method: MethodConfig, name: str, rows: list[dict]) -> bool:
    """Whether there are rows of a choice of the method, trained on the set `name`."""
    choices = [candidate.params for candidate in method.candidates()]
    return any(
        row["trained on"] == name and row["method"] == method.name and row["params"] in choices
        for row in rows
    )


def divide(config: ExperimentConfig, task: Task) -> tuple[csr_matrix, dict[str, list[Fold]]]:
    """Users to learn from, and folds of each group of users to test.

    Where the test users are a set of their own, some users of the data are held out beside them.
    """
    given, hidden = task.folds[0]
    thinned = thin(given + hidden, THIN, config.split_seed)
    groups = {TEST: task.folds, THINNED: folds_of(config, thinned)}
    if config.test_users == "split":
        return task.fit, groups
    split = split_users(task.fit, config.n_test, seed=config.split_seed)
    return split.train, groups | {KEPT_OUT: folds_of(config, split.test)}


def training_sets(X: csr_matrix, seed: int) -> dict[str, csr_matrix]:
    """All of X; a half and a quarter of its users; a half and a quarter of each history.

    The quarters lie within the halves. Users with fewer than SHORTEST interactions are dropped.
    """
    order = np.random.default_rng(seed).permutation(X.shape[0])
    half, quarter = X.shape[0] // 2, X.shape[0] // 4
    return {
        EVERYTHING: X,
        "half of the users": X[np.sort(order[:half])],
        "a quarter of the users": X[np.sort(order[:quarter])],
        "half of each history": thin(X, 0.5, seed),
        "a quarter of each history": thin(X, 0.25, seed),
    }


def thin(X: csr_matrix, share: float, seed: int) -> csr_matrix:
    """X with each interaction kept with probability `share`, without users left with too few.

    A smaller share of the same seed keeps a part of what a larger one keeps.
    """
    thinned = keep(X, np.random.default_rng(seed).random(X.nnz) < share)
    return thinned[np.diff(thinned.indptr) >= SHORTEST]


def with_steps_of(all_users: int, users: int, config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with epochs over `users` that make as many steps as over `all_users`.

    The epochs of an exponential schedule are nearly proportional to its E; rows count the steps.
    """

    def longer(params: dict) -> dict:
        if "epochs" not in params:
            return params
        size = params["batch_size"]
        ratio = batches_of(all_users, size) / batches_of(users, size)
        return params | {"epochs": max(1, round(params["epochs"] * ratio))}

    return replace(config, methods=[replace(m, params=longer(m.params)) for m in config.methods])


def batches_of(users: int, batch_size: int) -> int:
    """Gradient steps per epoch."""
    return -(-users // batch_size)


def _rows_of(
    config: ExperimentConfig, data: Dataset, name: str, X: csr_matrix, groups: dict[str, list[Fold]]
) -> tuple[list[dict], dict[str, np.ndarray]]:
    """Choose and fit each method on X, then test every group: rows, users' nDCG@100 by hash."""
    started = perf_counter()
    n_val = min(config.n_val, X.shape[0] // 5)
    split = split_users(X, 0, n_val, config.split_seed)
    task = Task(split.train, folds_of(config, split.val), X, groups[TEST])
    result, models = run_and_keep(config, data, task)
    rows, users = [], {}
    for group, folds in groups.items():
        for fitted, model in zip(result.rows, models, strict=True):
            values = evaluate(model, folds).by_user()[TUNED_ON].to_numpy()
            row = _row(name, X, group, fitted, values)
            users[row["hash"]] = values
            rows.append(row)
    seconds = round(perf_counter() - started, 1)
    return [row | {"seconds": seconds} for row in rows], users


def _row(name: str, X: csr_matrix, group: str, fitted: dict, values: np.ndarray) -> dict:
    """What one model gives one group; `fitted` is the model's row of `run_and_keep`."""
    kept = ("method", "budget_bytes", "params", "seed", "trials", "precision", "backend")
    return {
        "hash": sha256(f"{fitted['hash']} {name} {group}".encode()).hexdigest()[:16],
        "trained on": name,
        "users": X.shape[0],
        "interactions": int(X.nnz),
        "steps": _steps(fitted, X.shape[0]),
        "tested on": group,
        "test users": len(values),
        TUNED_ON: round(float(values.mean()), 5),
        "stderr": round(standard_error(values), 5),
    } | {key: fitted[key] for key in kept if key in fitted}


def _steps(fitted: dict, users: int) -> int:
    """Gradient steps of a fitted row's model; 0 for a closed form."""
    if "history" not in fitted:
        return 0
    params = fitted.get("resolved", fitted["params"])
    return len(fitted["history"]) * batches_of(users, params["batch_size"])


def _finished(
    out: str | Path | None, manifest: dict
) -> tuple[list[dict], dict[str, np.ndarray], dict[str, dict]]:
    """Rows, users and runs of earlier calls with the same data and users, whatever the methods.

    Raises StorageError.
    """
    if not out or not Path(out).expanduser().exists():
        return [], {}, {}
    stored = load_result(out)
    before, now = (m["config"] | {"methods": []} for m in (stored.manifest, manifest))
    same = before == now and stored.manifest["data"] == manifest["data"]
    rows = stored.intact_rows() if same else []
    return rows, {r["hash"]: stored.users[r["hash"]] for r in rows}, stored.manifest["runs"]
