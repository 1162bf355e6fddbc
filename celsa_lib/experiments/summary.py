"""A small table about an experiment: who takes part."""

import pandas as pd

from celsa_lib.data import Dataset
from celsa_lib.experiments.config import ExperimentConfig


def describe(config: ExperimentConfig, dataset: Dataset) -> pd.DataFrame:
    """Users, items and settings of an experiment: columns what, value."""
    users, items = dataset.X.shape
    density = dataset.X.nnz / (users * items)
    facts = {
        "data": dataset.name,
        "users × items": f"{users:,} × {items:,}",
        "interactions": f"{dataset.X.nnz:,} ({density:.1%} of all pairs)",
        "test users": f"{config.n_test:,}",
        "validation users": f"{config.n_val:,}",
        "training users while choosing": f"{users - config.n_test - config.n_val:,}",
        "training users of the reported models": f"{users - config.n_test:,}",
        "hold-out": f"{config.n_folds} folds of {config.fraction:.0%}, {config.fold_method}",
        "seeds": f"split {config.split_seed}, folds {config.fold_seed}, "
        f"training {', '.join(map(str, config.seeds))}",
    }
    return pd.DataFrame(facts.items(), columns=["what", "value"])
