"""The study on user data: sizes chosen from the data, results kept in a file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path

from celsa_lib.data import Dataset, load_interactions
from celsa_lib.errors import ConfigError, DataError, check_count
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.experiments.grids import reachable
from celsa_lib.experiments.manifest import machine
from celsa_lib.experiments.profiles import (
    PROFILES,
    Settings,
    checked_budgets,
    methods_for,
    recommended_methods,
)
from celsa_lib.experiments.run import label, run_task
from celsa_lib.experiments.task import make_task
from celsa_lib.files import alone_with
from celsa_lib.models.ease import ease_fits
from celsa_lib.models.recipes import batch_that_fits
from celsa_lib.results import BUDGETS, Result, load_result, save_result
from celsa_lib.split import split_by_time

MIN_USERS = 300  # 50 to test, 50 to choose with, 200 to learn from
STEPS = 400  # of a dense model in all, where the data is big; 3 to 10 epochs bound it
FEW_LEARNERS = 2000  # below it 5 epochs, and so 2 a prune: as for MovieLens-100K
LARGEST_WIDTH = {"smoke": 64, "laptop": 2048, "paper": 4096}
MOST_SEEDS = 1000  # trainings of each model: no study has a use for more
MIN_TESTED = 50  # users, also to choose with
WIDENINGS = 4  # of a grid whose end is chosen
BYTES_PER_NONZERO = 8  # by the paper's count


@dataclass(frozen=True)
class Scope:
    """What is compared: methods by label (all if empty), budgets in bytes per item (those of
    Table 1 if empty). thorough: with the autoencoder, and learning rates chosen for each method.
    test_from: of data with times, where the test begins; see `split_by_time`.
    """

    thorough: bool = False
    labels: tuple[str, ...] = ()
    budgets: tuple[int, ...] = ()
    test_from: str | None = None

    def methods(self, settings: Settings) -> list[MethodConfig]:
        """The recommended setting first, then Table 1's methods. Raises ConfigError."""
        of_table = methods_for(settings, with_sae=self.thorough, tuned=self.thorough)
        ours = recommended_methods(settings if self.budgets else settings.with_smallest())
        every = [*ours, *of_table]
        if not self.labels:
            return every
        names = [label(method, every) for method in every]
        known, wanted = {n.casefold() for n in names}, {n.casefold() for n in self.labels}
        unknown = [name for name in self.labels if name.casefold() not in known]
        if unknown:
            there = ", ".join(dict.fromkeys(names))
            raise ConfigError(f"no method {', '.join(unknown)}; choose of {there}")
        return [m for m, n in zip(every, names, strict=True) if n.casefold() in wanted]


USUAL = Scope()


def compare_methods(
    source: str | Path,
    out: str | Path,
    profile: str = "laptop",
    n_seeds: int = 1,
    scope: Scope = USUAL,
    on_change: Callable[[Result], None] = lambda result: None,
    **loading,
) -> Result:
    """Table 1 on a file of interactions; what the JSON file `out` has of it already is kept.

    `loading` are the options of `load_interactions`. `out` is written, and `on_change` called,
    after every trial and row. Raises CelsaError; ConfigError if `out` holds results of other data
    or settings.
    """
    dataset = load_interactions(source, **loading)
    config = user_data_config(dataset, profile, n_seeds, loading, scope)
    out = Path(out).expanduser()

    def keep(result: Result) -> None:
        save_result(result, out)
        on_change(result)

    with alone_with(out):
        stored = load_result(out) if out.exists() else None
        if stored is not None:
            check_same_study(stored, config, dataset, out)
        run_task(
            config,
            dataset,
            make_task(config, dataset),
            stored,
            on_change=keep,
            checkpoint=out,
            widenings=WIDENINGS,
        )
        return load_result(out)  # as stored, users rounded: a rerun shows the same digits


def user_data_config(
    dataset: Dataset,
    profile: str,
    n_seeds: int = 1,
    loading: dict | None = None,
    scope: Scope = USUAL,
) -> ExperimentConfig:
    """The recommended setting and other methods, as `scope` says, with sizes for this data.

    `loading` is part of the configuration: the same file read with other options is other data.
    Raises CelsaError.
    """
    check_count(most=MOST_SEEDS, seeds=n_seeds)
    items = dataset.X.shape[1]
    settings, test_from = _settings_for(dataset, profile, scope.test_from)
    if scope.budgets:
        settings = replace(settings, budgets=checked_budgets(scope.budgets))
        if settings.budgets[0] > BYTES_PER_NONZERO * items:
            raise ConfigError(
                f"a row for {items:,} items takes {BYTES_PER_NONZERO * items:,} bytes at most, and "
                f"{settings.budgets[0]:,} are asked for; lower the budget"
            )
    methods = affordable(tuple(scope.methods(settings)), items, machine()["memory_gib"])
    return ExperimentConfig(
        dataset=dataset.name,
        methods=methods,
        n_test=settings.n_test,
        n_val=settings.n_val,
        data_params=loading or {},
        seeds=tuple(range(n_seeds)),
        profile=profile,
        test_from=test_from,
    )


def _settings_for(
    dataset: Dataset, profile: str, test_from: str | None
) -> tuple[Settings, str | None]:
    """Sizes for the users who learn and test, and the moment from which the test is, as text; None
    for data without times. Raises CelsaError.
    """
    users, items = dataset.X.shape
    if dataset.times is None:
        if test_from is not None:
            raise ConfigError(f"the test is to begin at {test_from}; name the column of times too")
        return settings_for_size(users, items, profile), None
    split = split_by_time(dataset.X, dataset.times, test_from=test_from)
    try:
        inner = split_by_time(split.train, split.train_times)
    except DataError as error:
        raise DataError(
            f"what came before {split.start} cannot be divided by time in turn, to choose on: "
            f"{error}"
        ) from error
    n_test, n_val = len(split.test_rows), min(1000, len(inner.test_rows))
    for n, start in ((n_test, split.start), (n_val, inner.start)):
        if n < MIN_TESTED:
            raise DataError(
                f"{n} users have interactions both before {start} and from then on, and "
                f"at least {MIN_TESTED} are needed; choose another moment, or leave the times out"
            )
    settings = settings_for_size(n_test + split.train.shape[0], items, profile)
    return replace(settings, n_test=n_test, n_val=n_val), split.start


def settings_for_size(users: int, items: int, profile: str = "laptop") -> Settings:
    """Sizes for data of `users` × `items`: what was good for the book's sets, interpolated.

    A tenth of the users test and as many validate (50 to 2,500 and 50 to 1,000). Batches are
    powers of two that give an epoch at least 10 steps, at most 1,024 users; 3 to 10 epochs, 5 at
    most where few learn. Compressed ELSA is a power of two wide: a quarter of the items at most
    ("paper": half), from 256 to 2,048 ("paper": 4,096). Budgets that would not be smaller than a
    row of EASE (4·items bytes) are left out. "smoke" trains for a moment, "paper" 10 epochs.

    Raises DataError for too few users or items, ConfigError for an unknown profile.
    """
    if profile not in PROFILES:
        raise ConfigError(f'unknown profile "{profile}"; choose one of {", ".join(PROFILES)}')
    budgets = tuple(budget for budget in BUDGETS if budget < 4 * items)
    if users < MIN_USERS or not budgets:
        raise DataError(
            f"{users:,} users and {items:,} items are left, and a comparison needs at least "
            f"{MIN_USERS} users and {min(BUDGETS) // 4 + 1} items; give more data, or lower "
            "min_rating or min_user_interactions"
        )
    n_test, n_val = (min(most, max(50, users // 10)) for most in (2500, 1000))
    learners = users - n_test - n_val
    batch_size = batch_that_fits(learners)
    most = 5 if learners < FEW_LEARNERS else 10
    epochs = min(most, max(3, round(STEPS * batch_size / learners)))
    settings = Settings(
        n_test,
        n_val,
        width=_width(items, profile),
        dense_width=512 if items < 4096 else 1024,  # above the widths of the low-dimensional ones
        epochs=epochs,
        pruning_epochs=max(2, epochs // 2),
        batch_size=batch_size,
        budgets=budgets,
        code_width=min(4096, max(256, _power_of_two(items))),
    )
    if profile == "paper":
        return replace(settings, epochs=10, pruning_epochs=None)
    if profile == "smoke":
        shortened = {"epochs": 1, "pruning_epochs": None, "sae_epochs": 2, "regs": (100.0,)}
        narrow = {"dense_width": 320, "code_width": 64, "batch_size": max(128, batch_size)}
        return replace(settings, budgets=budgets[-2:], **narrow, **shortened)
    return settings


def affordable(
    methods: tuple[MethodConfig, ...], items: int, memory_gib: float
) -> tuple[MethodConfig, ...]:
    """`methods` without EASE and pruned EASE where their weights do not fit into the memory."""
    if ease_fits(items, memory_gib):
        return methods
    return tuple(method for method in methods if method.name not in ("EASE", "PrunedEASE"))


def check_same_study(
    stored: Result, config: ExperimentConfig, dataset: Dataset, path: str | Path
) -> None:
    """Raise ConfigError if `stored` has a row that `config` on this data does not ask for.

    Running would drop that row, and it may have taken hours.
    """
    wanted = {
        config.row_hash(candidate, seed, dataset.checksum)
        for method in config.methods
        for candidate in reachable(method, WIDENINGS).candidates()
        for seed in config.seeds
    }
    others = [row for row in stored.rows if row["hash"] not in wanted]
    if others:
        raise ConfigError(
            f"{path} holds {len(others)} results of other data, options, profile or seeds; choose "
            "another --out, or delete that file"
        )


def _width(items: int, profile: str) -> int:
    """At least 256: twice the nonzeros of the largest budget."""
    if profile == "smoke":
        return LARGEST_WIDTH[profile]
    widest = items / (2 if profile == "paper" else 4)
    return min(LARGEST_WIDTH[profile], max(256, _power_of_two(widest)))


def _power_of_two(most: float) -> int:
    """The largest power of two that is not above `most` (1 or more)."""
    return 2 ** int(log2(most))
