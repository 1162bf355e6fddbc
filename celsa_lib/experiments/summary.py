"""Small tables about an experiment: who takes part, and which differences are real."""

import pandas as pd

from celsa_lib.data import Dataset
from celsa_lib.evaluation import paired_difference
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.experiments.store import Result


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


def paired_table(result: Result, label: str, metric: str = "ndcg@100") -> pd.DataFrame:
    """`label` minus each other method of the same size: mean, 95 % interval, whether clear of 0."""
    lines = []
    for ours in (row for row in result.rows if row["label"] == label):
        for other in result.rows:
            same = other["budget_bytes"] == ours["budget_bytes"] and other["seed"] == ours["seed"]
            if not same or other["label"] == label:
                continue
            pair = result.evaluations[ours["hash"]], result.evaluations[other["hash"]]
            found = paired_difference(*pair, metric=metric)
            lines.append(
                {
                    "bytes per item": ours["budget_bytes"],
                    "compared with": other["label"],
                    "difference": f"{found.mean:+.3f}",
                    "95 % interval": f"{found.low:+.3f} to {found.high:+.3f}",
                    "clear": "yes" if found.is_clear else "no",
                }
            )
    return pd.DataFrame(lines)
