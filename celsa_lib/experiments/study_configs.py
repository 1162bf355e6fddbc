"""What the studies compare: a configuration of each, on a dataset as big as a profile says."""

from collections.abc import Sequence
from dataclasses import replace

from celsa_lib.data import dataset_info
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.profiles import (
    GOODBOOKS,
    PRECISION,
    configuration,
    every_method,
    methods_for,
    recommended_methods,
    settings_for,
)
from celsa_lib.experiments.run import label
from celsa_lib.experiments.synthetic_sizes import settings_of_size, with_users_of
from celsa_lib.models import make_schedule
from celsa_lib.models.registry import RECOMMENDED_RECIPE
from celsa_lib.results import GRADUAL

SANSA_REGS = (50.0, 200.0, 800.0)
SANSA_ON_BOOKS = {"reg": 50.0}  # what whole EASE chose of SANSA_REGS there
FEWER_ON_BOOKS = {
    "EASE": {"reg": (50.0, 100.0, 200.0)},
    "PrunedEASE": {"reg": (25.0, 50.0, 100.0)},
    "EDLAE": {"reg": (25.0, 50.0), "dropout": (0.35, 0.5)},
    "PrunedEDLAE": {"reg": (25.0, 50.0), "dropout": (0.35,)},
    "SparseMRF": {"reg": (1.0, 3.0)},
}
COMPRESSO_BUDGETS = (64, 128, 512)  # smallest first, as each is trained alone and may take an hour
COMPRESSO_GRID = {"learning_rate": (0.03, 0.1, 0.3, 1.0), "stage_epochs": (1, 3)}
COMPRESSO_ON_BOOKS = {
    "width": 1024,
    "learning_rate": 0.1,
    "stages": 5,
    "stage_epochs": 1,
    "epochs": 3,
}
WITHOUT = (
    {"dropout": 0.0},
    {"length_exponent": 0.0},
    {"cosine_decay": False},
    {"weight_averaging": 0.0},
    {"scales": False},
    {"non_negative": False},
    {"floor": 1},
)
ALONE = (
    {"dropout": 0.5},
    {"length_exponent": 0.5},
    {"cosine_decay": True},
    {"weight_averaging": 0.2},
    {"non_negative": True},
    {"support": "moving"},
)


def main_table(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """Table 1, and below its sizes: every method, each tuned on validation users."""
    methods = every_method(settings_for(profile, dataset))
    if dataset_info(dataset).own_test_users:
        methods = [MethodConfig("Released"), *methods]
    return configuration(dataset, profile, methods, seeds)


def own_users(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """Every method but those that take longest, on users of the data's own distribution.

    Of a set that has test users of its own; here they are drawn from all others. Width and epochs
    of the paper's procedure are scaled down as in the ablations, and grids to values near those of
    Table 1. Left out are the autoencoder and what is pruned by row and refitted.
    """
    methods = every_method(settings_for(profile, dataset).scaled_down())
    left_out = {"ELSA + SAE", "ELSA + SAE, regularised", "EASE, by row, refitted"}
    kept = [
        replace(m, grid=FEWER_ON_BOOKS.get(m.name, m.grid))
        for m in methods
        if label(m, methods) not in left_out
    ]
    return replace(configuration(dataset, profile, kept, seeds), test_users="split")


def beside_recommended(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """The recommended setting beside the paper's procedure, pruned EASE and whole EASE."""
    settings = settings_for(profile, dataset).with_smallest()
    paper = methods_for(settings, with_sae=False)
    kept = [method for method in paper if method.name in ("EASE", "PrunedEASE", "CompressedELSA")]
    return configuration(dataset, profile, [*kept, *recommended_methods(settings)], seeds)


def schedules(
    dataset: str, profile: str, seeds: Sequence[int], budgets: Sequence[int] = ()
) -> ExperimentConfig:
    """Figures 1a and 1b: four schedules, the gradual ones with and without restarts."""
    settings = settings_for(profile, dataset, budgets)
    variants = [{"schedule": s, "restart": r} for s in GRADUAL for r in (True, False)]
    variants.append({"schedule": "constant", "restart": False})
    methods = [
        method
        for variant in variants
        for method in at_budgets(
            "CompressedELSA", settings.budgets, **settings.ablation(), **variant
        )
    ]
    return configuration(dataset, profile, methods, seeds)


def equal_epochs(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """Exponential against constant with as many epochs in all, which Figure 1a does not give it."""
    settings = settings_for(profile, dataset)
    base = settings.ablation() | {"schedule": "exponential", "restart": True}
    methods = list(at_budgets("CompressedELSA", settings.budgets, **base))
    for method in tuple(methods):
        stages = make_schedule("exponential", base["width"], method.params["nnz"], base["epochs"])
        longer = {"schedule": "constant", "restart": False, "epochs": sum(s.epochs for s in stages)}
        methods.append(replace(method, params=method.params | longer))
    return configuration(dataset, profile, methods, seeds)


def widths(
    dataset: str, profile: str, seeds: Sequence[int], budgets: Sequence[int] = ()
) -> ExperimentConfig:
    """Figure 1c: four widths, each twice the one before; and tuned dense ELSA, the line to pass."""
    settings = settings_for(profile, dataset, budgets)
    base = settings.ablation()
    methods = [
        method
        for factor in (0.5, 1, 2, 4)
        for method in at_budgets(
            "CompressedELSA",
            settings.budgets,
            **base | {"width": int(factor * base["width"])},
        )
        if method.params["nnz"] < method.params["width"]  # as many would be a dense model
    ]
    dense = next(m for m in methods_for(settings, tuned=True) if m.name == "ELSA")
    return configuration(dataset, profile, (*methods, dense), seeds)


def sansa(
    dataset: str, profile: str, seeds: Sequence[int], n_items: int | None = None
) -> ExperimentConfig:
    """SANSA beside whole EASE and the recommended setting; it needs a package of its own.

    On Goodbooks, where each of its trainings takes minutes, at three sizes, with the λ of EASE.
    n_items: of a synthetic set, one of SIZES. Raises ConfigError.
    """
    settings, regs = settings_of_size(dataset, profile, n_items), {"reg": SANSA_REGS}
    budgets, given, grid = settings.with_smallest().budgets, {}, regs
    if dataset == GOODBOOKS:
        budgets, given, grid = COMPRESSO_BUDGETS, SANSA_ON_BOOKS, {}
    ours = RECOMMENDED_RECIPE | {"precision": PRECISION}
    methods = (
        MethodConfig("EASE", grid=regs),
        *at_budgets("SANSA", budgets, grid, **given),
        *at_budgets("CompressedELSA", budgets, **ours),
    )
    return with_users_of(settings, configuration(dataset, profile, methods, seeds))


def compresso(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """The recommended setting beside the package of the paper's authors, which has its own trainer.

    On Goodbooks with the width and learning rate of the package's documentation, nothing chosen,
    and half of its stages, of one epoch each: its search for masks multiplies dense matrices.
    """
    settings = settings_for(profile, dataset)
    budgets = tuple(b for b in COMPRESSO_BUDGETS if b in settings.budgets)
    given, grid = {"width": settings.width, "epochs": 5}, COMPRESSO_GRID
    if dataset == GOODBOOKS:
        given, grid = COMPRESSO_ON_BOOKS, {}
    ours = RECOMMENDED_RECIPE | {"precision": PRECISION}
    methods = (
        *at_budgets("CompressedELSA", budgets, **ours),
        *at_budgets("Compresso", budgets, grid, batch_size=settings.batch_size, **given),
    )
    return configuration(dataset, profile, methods, seeds)


def parts(
    dataset: str,
    profile: str,
    seeds: Sequence[int],
    budgets: Sequence[int] = (512, 64),
    n_items: int | None = None,
) -> ExperimentConfig:
    """The recommended setting without each of its parts; the paper's procedure with each alone.

    n_items: of a synthetic set, one of SIZES. Raises ConfigError.
    """
    settings = settings_of_size(dataset, profile, n_items)
    sizes = tuple(b for b in budgets if b in settings.budgets)
    recommended = RECOMMENDED_RECIPE | {"precision": PRECISION}
    methods = []
    for size in sizes:
        left_out = [{}, *WITHOUT, {"floor": size // 8}]  # the last: k for every row
        methods += [at_budgets("CompressedELSA", (size,), **recommended | p) for p in left_out]
    paper = settings.ablation()
    methods += [at_budgets("CompressedELSA", sizes, **paper | part) for part in ({}, *ALONE)]
    bare = recommended | {name: value for part in WITHOUT for name, value in part.items()}
    for size in sizes:
        methods.append(at_budgets("CompressedELSA", (size,), **bare | {"floor": size // 8}))
    config = configuration(dataset, profile, [m for group in methods for m in group], seeds)
    return with_users_of(settings, config)
