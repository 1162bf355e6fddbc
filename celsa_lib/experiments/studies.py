"""Studies: experiments whose results are stored in results/ and shown by the book."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from celsa_lib.data import dataset_info
from celsa_lib.errors import ConfigError, DatasetNotFoundError, DownloadError
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.profiles import (
    GOODBOOKS,
    LEARNING_RATES,
    PRECISION,
    SMALLEST,
    WIDER_RATES,
    configuration,
    further_baselines,
    methods_for,
    recommended_methods,
    settings_for,
)
from celsa_lib.experiments.rule_study import rule
from celsa_lib.experiments.run import run, run_task
from celsa_lib.experiments.support_study import supports
from celsa_lib.experiments.synthetic_sizes import SIZES, beside_baselines
from celsa_lib.experiments.task import prepare
from celsa_lib.files import alone_with
from celsa_lib.models import make_schedule
from celsa_lib.results import GRADUAL, Result, load_result, located, save_result

RESULTS = Path("results")
SANSA_REGS = (50.0, 200.0, 800.0)
SANSA_ON_BOOKS = {"reg": 50.0}  # what whole EASE chose of SANSA_REGS there
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
    """Table 1: every method at every budget, each tuned on validation users."""
    tuned = methods_for(settings_for(profile, dataset), tuned=True)
    methods = [replace(m, grid=WIDER_RATES) if m.grid == LEARNING_RATES else m for m in tuned]
    settings = settings_for(profile, dataset)
    methods += recommended_methods(settings) + further_baselines(settings)
    if dataset_info(dataset).own_test_users:
        methods = [MethodConfig("Released"), *methods]
    return configuration(dataset, profile, methods, seeds)


def beside_recommended(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """The recommended setting beside the paper's procedure, pruned EASE and whole EASE."""
    paper = methods_for(settings_for(profile, dataset), with_sae=False)
    kept = [method for method in paper if method.name in ("EASE", "PrunedEASE", "CompressedELSA")]
    return configuration(
        dataset, profile, [*kept, *recommended_methods(settings_for(profile, dataset))], seeds
    )


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


def sansa(dataset: str, profile: str, seeds: Sequence[int]) -> ExperimentConfig:
    """SANSA beside whole EASE; it needs a package of its own, so it has a study of its own.

    On Goodbooks, where each of its trainings takes minutes, at three sizes, with the λ of EASE.
    """
    settings, regs = settings_for(profile, dataset), {"reg": SANSA_REGS}
    budgets, given, grid = (*settings.budgets, SMALLEST), {}, regs
    if dataset == GOODBOOKS:
        budgets, given, grid = COMPRESSO_BUDGETS, SANSA_ON_BOOKS, {}
    methods = [MethodConfig("EASE", grid=regs), *at_budgets("SANSA", budgets, grid, **given)]
    return configuration(dataset, profile, methods, seeds)


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
    ours = {"recipe": "recommended", "precision": PRECISION}
    methods = (
        *at_budgets("CompressedELSA", budgets, **ours),
        *at_budgets("Compresso", budgets, grid, batch_size=settings.batch_size, **given),
    )
    return configuration(dataset, profile, methods, seeds)


def parts(
    dataset: str, profile: str, seeds: Sequence[int], budgets: Sequence[int] = (512, 64)
) -> ExperimentConfig:
    """The recommended setting without each of its parts; the paper's procedure with each alone."""
    settings = settings_for(profile, dataset)
    sizes = tuple(b for b in budgets if b in settings.budgets)
    recommended = {"recipe": "recommended", "precision": PRECISION}
    methods = []
    for size in sizes:
        left_out = [{}, *WITHOUT, {"floor": size // 8}]  # the last: k for every row
        methods += [at_budgets("CompressedELSA", (size,), **recommended | p) for p in left_out]
    paper = settings.ablation()
    methods += [at_budgets("CompressedELSA", sizes, **paper | part) for part in ({}, *ALONE)]
    bare = recommended | {name: value for part in WITHOUT for name, value in part.items()}
    for size in sizes:
        methods.append(at_budgets("CompressedELSA", (size,), **bare | {"floor": size // 8}))
    return configuration(dataset, profile, [m for group in methods for m in group], seeds)


@dataclass(frozen=True)
class Study:
    """One file in results/: `make` with these arguments; `profile` is the one that is stored."""

    make: Callable[[str, str, tuple[int, ...]], ExperimentConfig]
    dataset: str
    seeds: tuple[int, ...]
    profile: str = "laptop"

    @property
    def about(self) -> str:
        """What it is about, in a line: the first of what `make` says of itself."""
        make = self.make.func if isinstance(self.make, partial) else self.make
        return make.__doc__.splitlines()[0]

    def config(self, profile: str | None = None) -> ExperimentConfig:
        """The configuration, at another `profile` if given. Raises ConfigError."""
        return self.make(self.dataset, profile or self.profile, self.seeds)


STUDIES = {
    "goodbooks-10k": Study(main_table, "goodbooks-10k", (0, 1, 2), "paper"),
    "ml-20m": Study(main_table, "ml-20m", (0, 1, 2), "paper"),
    "netflix-prize": Study(main_table, "netflix-prize", (0, 1, 2), "paper"),
    "goodbooks-10k-partial": Study(main_table, GOODBOOKS, (0, 1, 2)),
    "ml-100k": Study(main_table, "ml-100k", (0, 1, 2, 3, 4)),
    "synthetic": Study(main_table, "synthetic", (0, 1, 2), "paper"),
    "goodbooks-schedules": Study(schedules, GOODBOOKS, (0,)),
    "ml-100k-schedules": Study(schedules, "ml-100k", (0, 1, 2, 3, 4)),
    "goodbooks-equal-epochs": Study(equal_epochs, GOODBOOKS, (0,)),
    "ml-100k-equal-epochs": Study(equal_epochs, "ml-100k", (0, 1, 2, 3, 4)),
    "goodbooks-sansa": Study(sansa, GOODBOOKS, (0,)),
    "ml-100k-sansa": Study(sansa, "ml-100k", (0,)),
    "goodbooks-compresso": Study(compresso, GOODBOOKS, (0,)),
    "ml-100k-compresso": Study(compresso, "ml-100k", (0,)),
    "goodbooks-parts": Study(parts, GOODBOOKS, (0,)),
    "ml-100k-parts": Study(parts, "ml-100k", (0, 1, 2, 3, 4)),
    "goodbooks-rule": Study(partial(rule, budgets=(64,)), GOODBOOKS, (0,)),
    "ml-100k-rule": Study(rule, "ml-100k", (0, 1, 2)),
    "synthetic-800-rule": Study(partial(rule, n_items=800), "synthetic", (0, 1, 2)),
    "synthetic-3500-rule": Study(partial(rule, budgets=(64,), n_items=3_500), "synthetic", (0,)),
    "ml-100k-supports": Study(supports, "ml-100k", (0, 1, 2)),
    "synthetic-800-supports": Study(partial(supports, n_items=800), "synthetic", (0, 1, 2)),
    "goodbooks-widths": Study(widths, GOODBOOKS, (0,)),
    "ml-100k-widths": Study(widths, "ml-100k", (0, 1, 2, 3, 4)),
    **{
        f"synthetic-{n_items}": Study(
            partial(beside_baselines, n_items=n_items), "synthetic", (0, 1, 2, 3, 4)
        )
        for n_items in SIZES
    },
}


def study(name: str) -> Study:
    """The study `name`. Raises ConfigError, naming what there is."""
    if name not in STUDIES:
        raise ConfigError(f'unknown study "{name}"; choose one of {", ".join(STUDIES)}')
    return STUDIES[name]


def run_study(
    name: str,
    profile: str | None = None,
    only: tuple[str, ...] = (),
    out: str | Path | None = None,
) -> Result:
    """Run what `out` does not have yet; written after every trial and row.

    `out`: results/<name>.json for the profile that is stored, a file in build/ for another.
    `only`: names of methods to compute now. Raises CelsaError.
    """
    config = study(name).config(profile)
    unknown = set(only) - {method.name for method in config.methods}
    if unknown:
        raise ConfigError(
            f"{name} has no method {', '.join(sorted(unknown))}; it has "
            f"{', '.join(dict.fromkeys(method.name for method in config.methods))}"
        )
    dataset, task = prepare(config)
    usual = config.profile == study(name).profile
    path = Path(out or stored_at(name, None if usual else config.profile)).expanduser()
    with alone_with(path):
        stored = load_result(path) if path.exists() else None
        return run_task(
            config, dataset, task, stored, only, lambda result: save_result(result, path), path
        )


def stored_at(name: str, profile: str | None = None) -> Path:
    """Where the study `name` is kept: in results/, at a `profile` that is not stored in build/."""
    return (Path("build") / profile if profile else RESULTS) / f"{name}.json"


def run_where_data_is(config: ExperimentConfig) -> Result | None:
    """The experiment, None where its data cannot be had here. Raises CelsaError for the rest."""
    try:
        return run(config)
    except (DatasetNotFoundError, DownloadError):
        return None


def live_or_stored(live: Callable[[], Result], path: str | Path) -> Result:
    """What `live` gives; where its data cannot be had here, the result stored at `path`.

    Raises what `live` raises where there is no such file either.
    """
    try:
        return live()
    except (DatasetNotFoundError, DownloadError):
        if not located(path).exists():
            raise
        return load_result(path)
