"""Train on Goodbooks-10k partial, report on the paper's own 2,500 test users.

The test users' ids are not published, so every user who is likely to be one of them is dropped
from the training data: the removal is approximate. Reproduce with `celsa study goodbooks`.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.data import load_dataset, load_goodbooks_test_users
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import DataError, StorageError
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.profiles import settings_for
from celsa_lib.experiments.run import Task, folds_of, run_task
from celsa_lib.experiments.store import Result, load_result, save_result
from celsa_lib.split import split_users

DATASET = "goodbooks-10k-partial"
TEST_USERS = "goodbooks-10k-test-users"
RESULTS = Path("results/goodbooks-10k-partial.json")


def goodbooks_config(
    profile: str = "laptop", methods: tuple[str, ...] = (), seed: int = 0
) -> ExperimentConfig:
    """The study's configuration; `methods` keeps only those model names."""
    settings = settings_for(profile, DATASET)
    training = settings.training()
    everything = (
        MethodConfig("Popularity"),
        MethodConfig("Released"),
        MethodConfig("EASE", grid={"reg": settings.regs}),
        *at_budgets("PrunedEASE", settings.budgets, {"reg": settings.regs}),
        *at_budgets("ELSA", settings.budgets, **training),
        *at_budgets("CompressedELSA", settings.budgets[::-1], **settings.compressed()),
        MethodConfig("ELSA", {"width": settings.dense_width, **training}),
    )
    config = ExperimentConfig(
        dataset=DATASET,
        methods=everything,
        n_test=settings.n_test,
        n_val=settings.n_val,
        test_users=TEST_USERS,
        seeds=(seed,),
        profile=profile,
    )
    kept = [method for method in everything if not methods or method.name in methods]
    return replace(config, methods=kept)


def run_goodbooks_partial(
    profile: str = "laptop",
    methods: tuple[str, ...] = (),
    out: str | Path | None = RESULTS,
    data_dir: str | Path | None = None,
    seed: int = 0,
) -> Result:
    """Run what `out` does not have yet; it is written after every row. Raises CelsaError."""
    config = goodbooks_config(profile, methods, seed)
    dataset = load_dataset(DATASET, data_dir=data_dir, **config.data_params)
    task = goodbooks_task(config, dataset, load_goodbooks_test_users(data_dir))
    stored = _stored_rows(out)
    whole = json.loads(goodbooks_config(profile, (), seed).to_json())

    def keep(result: Result) -> None:
        if out is not None:
            rows = _merged(stored, result.rows)
            seconds = round(sum(row["seconds"] for row in rows), 1)
            manifest = result.manifest | {"config": whole, "seconds": seconds}
            save_result(Result(manifest, rows), out)

    checkpoint = None if out is None else Path(out).with_suffix(".checkpoint.npz")
    return run_task(config, dataset, task, stored, keep, checkpoint)


def goodbooks_task(config: ExperimentConfig, dataset, test) -> Task:
    """Likely test users out, columns in the test users' order, validation users from the rest."""
    known = ~np.isin(dataset.user_ids.astype(int), test.likely_user_ids)
    X = align_columns(dataset.X[np.flatnonzero(known)], dataset.item_ids, test.item_ids)
    split = split_users(X, 0, config.n_val, config.split_seed)
    test_X = test.X[: config.n_test]
    return Task(
        tune_fit=split.train,
        tune_folds=folds_of(config, split.val),
        fit=X,
        folds=folds_of(config, test_X),
        ready={"Released": ItemEmbeddings(test.released, test.item_ids)},
    )


def align_columns(X: csr_matrix, item_ids: np.ndarray, wanted: np.ndarray) -> csr_matrix:
    """X with columns `wanted`, all of them: an item that X does not have becomes an empty column.

    Raises DataError if X has an item that is not wanted.
    """
    position = {int(item): column for column, item in enumerate(wanted)}
    missing = [item for item in item_ids if int(item) not in position]
    if missing:
        raise DataError(f"{len(missing)} items, first {missing[0]}, are not among the test items")
    X = X.tocoo()
    columns = np.array([position[int(item)] for item in item_ids])[X.col]
    aligned = csr_matrix((X.data, (X.row, columns)), shape=(X.shape[0], len(wanted)))
    aligned.sort_indices()
    return aligned


def _stored_rows(out: str | Path | None) -> list[dict]:
    if out is None or not Path(out).exists():
        return []
    try:
        return load_result(out).rows
    except StorageError as error:
        raise StorageError(f"{error}; or delete {out} to start anew") from error


def _merged(stored: list[dict], rows: list[dict]) -> list[dict]:
    """Stored rows; a new row replaces one of the same method, size and seed."""
    keys = ("method", "budget_bytes", "seed")
    return list({tuple(row[key] for key in keys): row for row in [*stored, *rows]}.values())
