"""The recommended setting against the paper's procedure and the strongest baselines, live."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from celsa_lib.data import Dataset
from celsa_lib.evaluation import Evaluation, evaluate, paired_difference
from celsa_lib.evaluation.exposure import Exposure, exposure
from celsa_lib.experiments.profiles import settings_for
from celsa_lib.models import EASE, ELSA, CompressedELSA, PrunedEASE
from celsa_lib.models.registry import OURS
from celsa_lib.split import holdout_folds, split_users

RECOMMENDED = "Recommended setting"
BUDGETS = (32, 64, 128, 256, 512, 1024)  # bytes per item, the paper's count


@dataclass(frozen=True)
class Measured:
    """One method at one size, on test users: `evaluations` and `exposures`, one per seed."""

    label: str
    budget_bytes: int
    evaluations: list[Evaluation]
    exposures: list[Exposure]

    def row(self) -> dict:
        """Means over seeds, and the standard error over users of their mean over seeds."""
        users = sum(e.by_user()["ndcg@100"] for e in self.evaluations) / len(self.evaluations)
        return {
            "label": self.label,
            "budget_bytes": self.budget_bytes,
            "ndcg@100": users.mean(),
            "stderr": users.std(ddof=1) / np.sqrt(len(users)),
            "coverage@50": np.mean([e.coverage for e in self.exposures]),
            "rare recall@50": np.mean([e.rare for e in self.exposures]),
        }


def measure_recommended(
    data: Dataset, profile: str, seeds: Iterable[int], budgets: tuple[int, ...] = BUDGETS
) -> list[Measured]:
    """Every method at every size; EASE's λ is chosen on validation users, for each size apart."""
    settings, seeds = settings_for(profile, data.name), list(seeds)
    split = split_users(data.X, settings.n_test, settings.n_val, seed=42)
    validation, folds = holdout_folds(split.val), holdout_folds(split.test)
    popularity = np.diff(split.train.tocsc().indptr)

    def measured(label: str, budget: int, models: list) -> Measured:
        return Measured(label, budget, [evaluate(m, folds) for m in models],
                        [exposure(m, folds, popularity) for m in models])  # fmt: skip

    sizes = [budget // 8 for budget in budgets]
    families = {
        RECOMMENDED: lambda seed: CompressedELSA(
            recipe="recommended", seed=seed, progress=False
        ).fit_budgets(split.train, sizes),
        OURS: lambda seed: CompressedELSA(
            **settings.compressed(), seed=seed, progress=False
        ).fit_budgets(split.train, sizes),
        "Low-dim ELSA": lambda seed: {
            nnz: ELSA(2 * nnz, recipe="recommended", seed=seed, progress=False).fit(split.train)
            for nnz in sizes
        },
    }
    found = []
    for label, fit in families.items():
        by_seed = [fit(seed) for seed in seeds]
        found += [measured(label, 8 * nnz, [models[nnz] for models in by_seed]) for nnz in sizes]
    whole = [EASE(reg).fit(split.train) for reg in settings.regs]
    for nnz in sizes:
        pruned = _best([PrunedEASE.from_ease(ease, nnz) for ease in whole], validation)
        found.append(measured("Pruned EASE", 8 * nnz, [pruned]))
    best = _best(whole, validation)
    return [*found, measured("EASE", best.bytes_per_item, [best])]


def _best(models: list, folds: list):
    return max(models, key=lambda model: evaluate(model, folds).mean["ndcg@100"])


def recommended_table(measured: list[Measured]) -> pd.DataFrame:
    """A row per method and size: see `Measured.row`."""
    return pd.DataFrame([each.row() for each in measured])


def against_recommended(measured: list[Measured]) -> pd.DataFrame:
    """By size and baseline: the recommended setting's nDCG@100 less the baseline's, and the word.

    Paired by user, first seeds; EASE, which has one size, against every size.
    """
    ours = {each.budget_bytes: each for each in measured if each.label == RECOMMENDED}
    lines = []
    for budget, mine in sorted(ours.items()):
        for other in measured:
            if other.label == RECOMMENDED or other.budget_bytes not in (budget, _whole(measured)):
                continue
            difference = paired_difference(mine.evaluations[0], other.evaluations[0])
            word = "no clear difference"
            if difference.is_clear:
                word = "ahead" if difference.mean > 0 else "behind"
            lines.append({"bytes per item": budget, "against": other.label,
                          "difference": difference.mean, "low": difference.low,
                          "high": difference.high, "recommended is": word})  # fmt: skip
    return pd.DataFrame(lines)


def _whole(measured: list[Measured]) -> int:
    return next(each.budget_bytes for each in measured if each.label == "EASE")
