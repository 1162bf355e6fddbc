"""Studies: experiments whose results are stored in results/ and shown by the book."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from celsa_lib.errors import ConfigError, DatasetNotFoundError, DownloadError
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.experiments.profiles import GOODBOOKS
from celsa_lib.experiments.rule_study import rule, smallest
from celsa_lib.experiments.run import names_of, run, run_task
from celsa_lib.experiments.study_configs import (
    compresso,
    equal_epochs,
    main_table,
    own_users,
    parts,
    sansa,
    schedules,
    widths,
)
from celsa_lib.experiments.support_study import supports
from celsa_lib.experiments.synthetic_sizes import SIZES, beside_baselines
from celsa_lib.experiments.task import prepare
from celsa_lib.files import alone_with
from celsa_lib.results import Result, load_result, located, save_result

RESULTS = Path("results")


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
    "goodbooks-own-users": Study(own_users, GOODBOOKS, (0,)),
    "ml-100k": Study(main_table, "ml-100k", (0, 1, 2, 3, 4)),
    "synthetic": Study(main_table, "synthetic", (0, 1, 2), "paper"),
    "goodbooks-schedules": Study(schedules, GOODBOOKS, (0,)),
    "ml-100k-schedules": Study(schedules, "ml-100k", (0, 1, 2, 3, 4)),
    "goodbooks-equal-epochs": Study(equal_epochs, GOODBOOKS, (0,)),
    "ml-100k-equal-epochs": Study(equal_epochs, "ml-100k", (0, 1, 2, 3, 4)),
    "goodbooks-sansa": Study(sansa, GOODBOOKS, (0,)),
    "ml-100k-sansa": Study(sansa, "ml-100k", (0,)),
    "synthetic-800-sansa": Study(partial(sansa, n_items=800), "synthetic", (0,)),
    "synthetic-3500-sansa": Study(partial(sansa, n_items=3_500), "synthetic", (0,)),
    "goodbooks-compresso": Study(compresso, GOODBOOKS, (0,)),
    "ml-100k-compresso": Study(compresso, "ml-100k", (0,)),
    "goodbooks-parts": Study(parts, GOODBOOKS, (0,)),
    "ml-100k-parts": Study(parts, "ml-100k", (0, 1, 2, 3, 4)),
    "synthetic-800-parts": Study(partial(parts, n_items=800), "synthetic", (0, 1, 2, 3, 4)),
    "goodbooks-rule": Study(partial(rule, budgets=(64,)), GOODBOOKS, (0,)),
    "ml-100k-rule": Study(rule, "ml-100k", (0, 1, 2)),
    "synthetic-800-rule": Study(partial(rule, n_items=800), "synthetic", (0, 1, 2)),
    "synthetic-3500-rule": Study(partial(rule, budgets=(64,), n_items=3_500), "synthetic", (0,)),
    "synthetic-10000-rule": Study(partial(rule, budgets=(64,), n_items=10_000), "synthetic", (0,)),
    "goodbooks-smallest": Study(smallest, GOODBOOKS, (0,)),
    "ml-100k-smallest": Study(smallest, "ml-100k", (0,)),
    "synthetic-800-smallest": Study(partial(smallest, n_items=800), "synthetic", (0,)),
    "synthetic-3500-smallest": Study(partial(smallest, n_items=3_500), "synthetic", (0,)),
    "synthetic-10000-smallest": Study(partial(smallest, n_items=10_000), "synthetic", (0,)),
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
    `only`: names of methods to compute now, of classes or as in tables. Raises CelsaError.
    """
    config = study(name).config(profile)
    known = set().union(*(names_of(method, config.methods) for method in config.methods))
    if unknown := set(only) - known:
        raise ConfigError(
            f"{name} has no method {', '.join(sorted(unknown))}; it has {'; '.join(sorted(known))}"
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
