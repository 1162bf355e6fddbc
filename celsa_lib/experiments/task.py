"""Who learns and who is tested: the users of the data, divided as a configuration says.

On Goodbooks-10k partial the models are reported on the paper's own 2,500 test users. Their ids are
not published, so every user who is likely to be one of them is dropped from the training data: the
removal is approximate.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix, vstack

from celsa_lib.data import Dataset, GoodbooksTestUsers, load_dataset, load_goodbooks_test_users
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.split import Fold, holdout_folds, split_by_time, split_users


@dataclass
class Task:
    """Users to tune on (fit, validation folds) and to report on (all non-test users, test folds).

    item_ids: of the columns. `ready` holds models that need no training, by method name. by_time:
    of a split by time, its moments and how much of what is to be found nobody had chosen before.
    """

    tune_fit: csr_matrix
    tune_folds: list[Fold]
    fit: csr_matrix
    folds: list[Fold]
    item_ids: np.ndarray | None = None
    ready: dict = field(default_factory=dict)
    by_time: dict | None = None

    @property
    def users(self) -> dict[str, int]:
        """How many users learn while choosing and for the report, and how many test."""
        return {
            "choosing": self.tune_fit.shape[0],
            "reported": self.fit.shape[0],
            "test": self.folds[0][0].shape[0] if self.folds else 0,
        }


def prepare(config: ExperimentConfig, dataset: Dataset | None = None) -> tuple[Dataset, Task]:
    """The data of a configuration, loaded unless given, and its users, divided.

    Raises CelsaError.
    """
    if dataset is None:
        dataset = load_dataset(config.dataset, **config.data_params)
    return dataset, make_task(config, dataset)


def make_task(config: ExperimentConfig, dataset: Dataset) -> Task:
    """Test, validation and training users; all but the test users learn for the report.

    They are drawn from the data, or the test users are a set of their own. Raises CelsaError.
    """
    if config.test_users != "split":
        return _task_of_test_users(config, dataset, load_goodbooks_test_users())
    if config.test_from is not None:
        return _task_by_time(config, dataset)
    split = split_users(dataset.X, config.n_test, config.n_val, config.split_seed)
    fit = vstack([split.train, split.val], format="csr") if config.n_val else split.train
    validation, test = folds_of(config, split.val), folds_of(config, split.test)
    return Task(split.train, validation, fit, test, dataset.item_ids)


def _task_of_test_users(
    config: ExperimentConfig, dataset: Dataset, test: GoodbooksTestUsers
) -> Task:
    """Trained on everybody else, in the test users' columns; validation users are from the rest."""
    X = test.others(dataset)
    split = split_users(X, 0, config.n_val, config.split_seed)
    return Task(
        tune_fit=split.train,
        tune_folds=folds_of(config, split.val),
        fit=X,
        folds=folds_of(config, test.X[: config.n_test]),
        item_ids=test.item_ids,
        ready={"Released": ItemEmbeddings(test.released, test.item_ids)},
    )


def _task_by_time(config: ExperimentConfig, dataset: Dataset) -> Task:
    """Models learn from before a moment and are tested on what came after; what is chosen is chosen
    in the same way within the time before, so that nothing later decides it.
    """
    X, times, seed = dataset.X, dataset.times, config.split_seed
    split = split_by_time(X, times, config.n_test, config.test_from, seed)
    known = np.bincount(split.train.indices, minlength=X.shape[1]) > 0
    by_time = {
        "test_from": split.start,
        "targets": int(split.target.nnz),
        "targets_of_new_items": int((~known[split.target.indices]).sum()),
    }
    tune_fit, tune_folds = split.train, []
    if config.n_val:
        inner = split_by_time(split.train, split.train_times, config.n_val, seed=seed)
        tune_fit, tune_folds = inner.train, inner.folds
        by_time["chosen_from"] = inner.start
    return Task(tune_fit, tune_folds, split.train, split.folds, dataset.item_ids, by_time=by_time)


def folds_of(config: ExperimentConfig, X: csr_matrix) -> list[Fold]:
    """Hold-out folds of the users X as configured; none without users."""
    if not X.shape[0]:
        return []
    return holdout_folds(X, config.n_folds, config.fraction, config.fold_seed, config.fold_method)
