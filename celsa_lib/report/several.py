"""The recommended setting beside all other methods at one size, on several sets of data."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from celsa_lib.models.registry import RECOMMENDED
from celsa_lib.report.base import Absent, absent
from celsa_lib.report.recommended_findings import BESIDE, at_size
from celsa_lib.report.rules import check_of
from celsa_lib.report.tables import Html, difference_cell, plain_table
from celsa_lib.results import Result, load_intact, located

HEADING = "the recommended setting −"


def differences(
    studies: Mapping[str, str], size: int, folder: str | Path = "results"
) -> Html | Absent:
    """The recommended setting − each other method at `size` bytes per item, by user; methods
    without sizes are taken whole.

    studies: stored studies by the heading of their column. A stand-in where none is stored. Raises
    StorageError where a file is damaged.
    """
    paths = {title: located(Path(folder) / f"{name}.json") for title, name in studies.items()}
    found = {title: load_intact(path) for title, path in paths.items() if path.exists()}
    if not found:
        return Absent(absent(next(iter(paths.values()))))
    lines = pd.DataFrame({title: _column(result, size) for title, result in found.items()})
    lines = lines.reindex(list(BESIDE.values())).dropna(how="all").fillna("–")
    caption = f"difference in nDCG@100 at {size:,} bytes per item: mean over users, 95 % interval"
    return plain_table(lines.reset_index(names=HEADING), f"{caption}; stored results")


def _column(result: Result, size: int) -> dict[str, str]:
    """A cell for every method that the study has, by the name that prose gives it."""
    ours = {"label": RECOMMENDED, "budget_bytes": size}
    checks = {
        prose: check_of(result, prose, ours, {"label": label} | at_size(label, size))
        for label, prose in BESIDE.items()
    }
    found = {prose: check.difference for prose, check in checks.items() if check.difference}
    return {prose: difference_cell(d.mean, d.low, d.high) for prose, d in found.items()}
