"""From a result to what pages show of it: by its kind, from memory or from results/."""

from html import escape
from pathlib import Path

from celsa_lib.report.base import Absent, Report, absent, unmeasured
from celsa_lib.report.benchmark import BenchmarkReport
from celsa_lib.report.data_size import DataSizeReport
from celsa_lib.report.deviations import DeviationsReport
from celsa_lib.report.methods import AbsentMethods, MethodsReport
from celsa_lib.report.real_bytes import BytesReport
from celsa_lib.report.segment_study import SegmentsReport
from celsa_lib.report.tables import Html
from celsa_lib.results import (
    BENCHMARK,
    BYTES,
    DATA_SIZE,
    DEVIATIONS,
    METHOD_STUDY,
    SEGMENTS,
    Result,
    load_intact,
    located,
)

REPORTS = {
    METHOD_STUDY: MethodsReport,
    DATA_SIZE: DataSizeReport,
    DEVIATIONS: DeviationsReport,
    SEGMENTS: SegmentsReport,
    BENCHMARK: BenchmarkReport,
    BYTES: BytesReport,
}
NOT_RUN = Html("<p><em>Not run here: the data is not there.</em></p>")


def stored(name: str, folder: str | Path = "results", command: str = "") -> Report | Absent:
    """The result `name` of a folder, to show on a page; a stand-in that says so without it.

    command: what measures it, where that is no study. Raises StorageError where the file is
    damaged.
    """
    path = located(Path(folder) / f"{name}.json")
    if path.exists():
        return shown(load_intact(path))
    return Absent(unmeasured(path, command)) if command else AbsentMethods(name, absent(path))


def shown(result: Result | None) -> Report | Absent:
    """A result, to show on a page by its kind; None, of a run without its data, says so."""
    return Absent(NOT_RUN) if result is None else REPORTS[result.kind](result)


def sources(
    names: list[str], folder: str | Path = "results", live: Report | Absent | None = None
) -> Html:
    """Which of the results `names` are stored, from when, and which are not there, in a line.

    First where the numbers of a `live` run come from, if the page has one.
    """
    paths = {name: located(Path(folder) / f"{name}.json") for name in names}
    found = []
    for name, path in paths.items():
        if path.exists():
            runs = load_intact(path).manifest["runs"].values()
            named = "; ".join(f"{run['date']}, commit {run['commit']}" for run in runs)
            found.append(f"{name} ({named})")
    missing = [name for name, path in paths.items() if not path.exists()]
    text = f"Stored results: {'; '.join(found) or 'none'}."
    text += f" Not run here: {', '.join(missing)}." if missing else ""
    first = live.notice()._repr_html_() if live else ""
    return Html(f'{first}<p class="celsa-provenance"><small>{escape(text)}</small></p>')
