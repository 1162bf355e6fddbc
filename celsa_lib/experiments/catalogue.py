"""Every study with a stored result, by name: what `celsa study` lists and runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from celsa_lib.errors import ConfigError
from celsa_lib.experiments.data_size import run_data_size
from celsa_lib.experiments.deviations import run_deviations
from celsa_lib.experiments.interpretability import run_segment_study
from celsa_lib.experiments.profiles import GOODBOOKS
from celsa_lib.experiments.real_bytes import run_real_bytes
from celsa_lib.experiments.shipped_study import run_shipped
from celsa_lib.experiments.studies import STUDIES, run_study, stored_at
from celsa_lib.files import alone_with
from celsa_lib.results import Result


@dataclass(frozen=True)
class OtherStudy:
    """A study that is no list of methods at all sizes: run(dataset, profile, out).

    dataset: what it is about; of bytes the study whose methods are stored.
    """

    run: Callable[[str, str, Path], Result]
    dataset: str
    about: str


DEVIATIONS_ABOUT = "What each deviation of the released code changes."
DATA_SIZE_ABOUT = "With less to learn from, and on other users."
BYTES_ABOUT = "Accuracy against the bytes of a file, in several codes."
OTHER_STUDIES = {
    "goodbooks-deviations": OtherStudy(run_deviations, GOODBOOKS, DEVIATIONS_ABOUT),
    "ml-100k-deviations": OtherStudy(run_deviations, "ml-100k", DEVIATIONS_ABOUT),
    "goodbooks-data-size": OtherStudy(run_data_size, GOODBOOKS, DATA_SIZE_ABOUT),
    "ml-100k-data-size": OtherStudy(run_data_size, "ml-100k", DATA_SIZE_ABOUT),
    "goodbooks-bytes": OtherStudy(run_real_bytes, GOODBOOKS, BYTES_ABOUT),
    "ml-100k-bytes": OtherStudy(run_real_bytes, "ml-100k", BYTES_ABOUT),
    "synthetic-800-bytes": OtherStudy(run_real_bytes, "synthetic-800", BYTES_ABOUT),
    "synthetic-3500-bytes": OtherStudy(run_real_bytes, "synthetic-3500", BYTES_ABOUT),
    "synthetic-10000-bytes": OtherStudy(run_real_bytes, "synthetic-10000", BYTES_ABOUT),
    "goodbooks-rows": OtherStudy(run_shipped, GOODBOOKS, "The rows that come with the library."),
    "segments": OtherStudy(run_segment_study, GOODBOOKS, "Segments, measured beside baselines."),
}


def check_study(name: str) -> None:
    """Raise ConfigError, naming what there is, for a name of no study."""
    if name not in STUDIES | OTHER_STUDIES:
        known = ", ".join([*STUDIES, *OTHER_STUDIES])
        raise ConfigError(f'unknown study "{name}"; choose one of {known}')


def run_by_name(
    name: str,
    profile: str | None = None,
    only: tuple[str, ...] = (),
    out: str | Path | None = None,
) -> Result:
    """The study `name`: what its file has already is kept. Parameters: see `run_study`.

    Raises CelsaError.
    """
    check_study(name)
    if name in STUDIES:
        return run_study(name, profile, only, out)
    if only:
        raise ConfigError(f"{name} has no methods to choose from; leave out --method")
    study, usual = OTHER_STUDIES[name], profile in (None, "laptop")
    path = Path(out or stored_at(name, None if usual else profile)).expanduser()
    with alone_with(path):
        return study.run(study.dataset, profile or "laptop", path)
