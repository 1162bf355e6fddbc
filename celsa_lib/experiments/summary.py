"""Small tables about an experiment: who takes part, and which differences are real."""

import pandas as pd

from celsa_lib.data import Dataset
from celsa_lib.evaluation import difference_by_user
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.results import Result


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


def paired_table(result: Result, label: str) -> pd.DataFrame:
    """`label` minus each other method of the same size in nDCG@100: mean over seeds and users, 95 %
    interval over users, whether it is clear of 0.
    """
    lines = []
    for size in dict.fromkeys(row["budget_bytes"] for row in result.select(label=label)):
        ours = result.by_user(result.select(label=label, budget_bytes=size))
        others = dict.fromkeys(row["label"] for row in result.select(budget_bytes=size))
        for other in (name for name in others if name != label):
            theirs = result.by_user(result.select(label=other, budget_bytes=size))
            found = difference_by_user(ours, theirs)
            lines.append(
                {
                    "bytes per item": size,
                    "compared with": other,
                    "difference": f"{found.mean:+.3f}",
                    "95 % interval": f"{found.low:+.3f} to {found.high:+.3f}",
                    "clear": "yes" if found.is_clear else "no",
                }
            )
    return pd.DataFrame(lines)
