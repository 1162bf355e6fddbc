"""What a compressed model ought to reach, and what of it the recommended setting does, by stored
rows: targets down, sets of data across.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isnan
from pathlib import Path
from statistics import fmean

import pandas as pd

from celsa_lib.evaluation import Difference, difference_by_user
from celsa_lib.models.registry import OURS, RECOMMENDED, SAE
from celsa_lib.report.base import Absent, absent
from celsa_lib.report.real_bytes import curve
from celsa_lib.report.recommended_findings import BESIDE, THEIR_PACKAGE, at_size
from celsa_lib.report.statistics import better, is_stored
from celsa_lib.report.tables import Html, difference_cell, plain_table
from celsa_lib.results import BUDGETS, PLAIN, Result, load_intact, located

REACHED, UNDETERMINED, MISSED = "reached", "undecided", "missed"
NOT_STORED = "not measured"
WORST_FIRST = (MISSED, UNDETERMINED, NOT_STORED, REACHED)
NO_DIFFERENCE = Difference(float("nan"), float("nan"), float("nan"))
CLOSE = 0.001  # what is lower by no more is not below
ASKED_AT = (32, *sorted(BUDGETS))  # bytes per item
STRICT = (64, 128)  # bytes per item at which item weights should be clearly worse
PRUNED = (
    "Pruned EASE", "EASE, by row, refitted", "EASE, one threshold", "EASE, threshold, refitted",
    "Pruned EDLAE", "EDLAE, one threshold", "EDLAE, threshold, refitted", "Sparse MRF",
    "SANSA",
)  # fmt: skip
ALL_BASELINES = (
    OURS,
    *PRUNED,
    "Low-dim ELSA",
    "Low-dim ELSA, regularised",
    SAE,
    "ELSA + SAE, regularised",
    THEIR_PACKAGE,
)


@dataclass(frozen=True)
class Measured:
    """One comparison that a target asks for: how it came out, with its difference.

    difference: by user; without an interval where only means are stored.
    """

    what: str
    outcome: str
    difference: Difference

    def __str__(self) -> str:
        """The difference as a cell has it, with what it is of."""
        found = self.difference
        if isnan(found.mean):
            return self.what
        if isnan(found.low):
            return f"{found.mean:+.3f}, {self.what}"
        return f"{difference_cell(found.mean, found.low, found.high)}, {self.what}"


def above(found: Difference) -> str:
    """Reached where the interval lies above 0, missed where it lies below."""
    return REACHED if found.low > 0 else MISSED if found.high < 0 else UNDETERMINED


def not_below(found: Difference) -> str:
    """Reached where the mean is at least −0.001 and the interval, if there is one, not below 0."""
    if found.high < 0:
        return MISSED
    if found.mean >= -CLOSE:
        return REACHED
    return MISSED if isnan(found.low) else UNDETERMINED


def against(
    result: Result,
    baselines: tuple[str, ...],
    sizes: tuple[int, ...],
    judge: Callable[[Difference], str],
    of_baselines: int | None = None,
) -> list[Measured]:
    """The recommended setting − each baseline at each size; a baseline without rows is left out.

    of_baselines: the baselines' size, where it is another than ours.
    """
    found, there = [], {row["label"] for row in result.rows}
    for size in sizes:
        ours = {"label": RECOMMENDED, "budget_bytes": size}
        for baseline in baselines:
            theirs = {"label": baseline} | at_size(baseline, of_baselines or size)
            what = f"{size:,} B, {BESIDE.get(baseline, baseline)}"
            what += f" at {of_baselines} B" if of_baselines else ""
            if baseline not in there or not is_stored(result, ours):
                continue
            if is_stored(result, theirs):
                difference = better(result, ours, theirs)
                found.append(Measured(what, judge(difference), difference))
            else:
                found.append(Measured(what, NOT_STORED, NO_DIFFERENCE))
    return found


def exposed(result: Result, name: str) -> list[Measured]:
    """A mean over all items or users, `name` of EXPOSURE, − that of whole EASE, by size."""
    rows = [row for row in result.rows if name in row]
    theirs = [row[name] for row in rows if row["label"] == "EASE"]
    found = []
    for size in ASKED_AT if theirs else ():
        ours = [
            row[name] for row in rows
            if row["label"] == RECOMMENDED and row["budget_bytes"] == size
        ]  # fmt: skip
        if ours:
            gap = Difference(fmean(ours) - fmean(theirs), float("nan"), float("nan"))
            what = f"{size:,} B: {fmean(ours):.3f}, EASE {fmean(theirs):.3f}"
            found.append(Measured(what, not_below(gap), gap))
    return found


def in_a_tenth_of_the_time(result: Result) -> list[Measured]:
    """A tenth less the share of their package's training time that all of our sizes take."""
    found = []
    for theirs in result.select(label=THEIR_PACKAGE):
        size = theirs["budget_bytes"]
        for ours in result.select(label=RECOMMENDED, budget_bytes=size, seed=theirs["seed"]):
            seconds = ours["path"]["seconds"], theirs["seconds_fit"]
            gap = 0.1 - seconds[0] / seconds[1]
            what = f"{size:,} B: {seconds[0]:,.0f} s for all sizes, theirs {seconds[1]:,.0f} s"
            outcome = REACHED if gap >= 0 else MISSED
            found.append(Measured(what, outcome, Difference(gap, float("nan"), float("nan"))))
    return found


def packed_against_whole(result: Result) -> list[Measured]:
    """The largest of our sizes that takes at most 32 bytes per item packed − whole EASE."""
    ours = [point for point in curve(result, RECOMMENDED) if point.size <= ASKED_AT[0]]
    theirs = curve(result, "EASE", PLAIN)
    if not ours or not theirs:
        return []
    found = difference_by_user(ours[-1].users, theirs[0].users)
    what = f"{ours[-1].size:.1f} B, EASE {theirs[0].size:,.0f} B"
    return [Measured(what, not_below(found), found)]


OTHER_SIZES = tuple(size for size in ASKED_AT if size not in STRICT)
TARGETS: Mapping[str, Callable[[Result], list[Measured]]] = {
    **{
        f"above {BESIDE.get(baseline, baseline)} at every size": partial(
            against, baselines=(baseline,), sizes=ASKED_AT, judge=above
        )
        for baseline in ALL_BASELINES
        if baseline not in PRUNED  # item weights have targets of their own
    },
    "above pruned and refitted EASE and EDLAE and a sparse MRF at 64 and 128 bytes": partial(
        against, baselines=PRUNED, sizes=STRICT, judge=above
    ),
    "not below them at any other size": partial(
        against, baselines=PRUNED, sizes=OTHER_SIZES, judge=not_below
    ),
    "128 bytes not below whole EASE": partial(
        against, baselines=("EASE",), sizes=(128,), judge=not_below
    ),
    "128 bytes not below whole ELSA with the same regularisation": partial(
        against, baselines=("ELSA, regularised",), sizes=(128,), judge=not_below
    ),
    "256 bytes not below whole EDLAE": partial(
        against, baselines=("EDLAE",), sizes=(256,), judge=not_below
    ),
    "32 bytes above every baseline at 64": partial(
        against, baselines=ALL_BASELINES, sizes=ASKED_AT[:1], judge=above, of_baselines=64
    ),
    "coverage at 50 not below that of whole EASE": partial(exposed, name="coverage@50"),
    "recall of rare items not below that of whole EASE": partial(exposed, name="rare recall@50"),
    f"trained in a tenth of the time of {THEIR_PACKAGE}": in_a_tenth_of_the_time,
}
TARGETS_OF_FILES: Mapping[str, Callable[[Result], list[Measured]]] = {
    "at most 32 bytes of a packed file not below whole EASE": packed_against_whole
}


Studies = Mapping[str, tuple[str, ...]]  # stored studies by the name of their set


def measured_targets(
    studies: Studies, folder: str | Path = "results"
) -> dict[tuple[str, str], list[Measured]]:
    """What each target and set (of `studies`) is decided by. Raises StorageError for damage."""
    found = {}
    for name, stored in studies.items():
        paths = [located(Path(folder) / f"{one}.json") for one in stored]
        results = [load_intact(path) for path in paths if path.exists()]
        packed = [result for result in results if result.rows and "form" in result.rows[0]]
        others = [result for result in results if result not in packed]
        for targets, able in ((TARGETS, others), (TARGETS_OF_FILES, packed)):
            for target, measure in targets.items():
                found[target, name] = _whole([one for result in able for one in measure(result)])
    return found


def _whole(found: list[Measured]) -> list[Measured]:
    """Without what one study has not measured and another of the same set has."""
    measured = {one.what for one in found if one.outcome != NOT_STORED}
    return [one for one in found if one.outcome != NOT_STORED or one.what not in measured]


def told(found: list[Measured]) -> str:
    """The worst outcome of a target, how many comparisons have it, and the one that is lowest.

    Where the worst is that some are not measured, those.
    """
    if not found:
        return "–"
    outcome = next(word for word in WORST_FIRST if word in {one.outcome for one in found})
    alike = [one for one in found if one.outcome == outcome]
    lowest = min(alike, key=lambda one: one.difference.mean)
    if outcome == NOT_STORED:
        missing = "; ".join(one.what for one in alike)
        reached = len(found) - len(alike)
        return f"{REACHED} in {reached} of {len(found)}; {NOT_STORED}: {missing}"
    count = "" if len(found) == 1 else f" in {len(alike)} of {len(found)}"
    return f"{outcome}{count}: {lowest}"


def targets_reached(studies: Studies, folder: str | Path = "results") -> Html | Absent:
    """A line per target: the worst outcome on each set, and its lowest difference.

    A stand-in where nothing is stored. Raises StorageError where a file is damaged.
    """
    found = measured_targets(studies, folder)
    if not any(found.values()):
        return _none(studies, folder)
    lines = [
        {"target": target} | {name: told(found[target, name]) for name in studies}
        for target in (*TARGETS, *TARGETS_OF_FILES)
    ]
    caption = "the worst outcome of each target, and the lowest difference among those"
    return plain_table(pd.DataFrame(lines), f"{caption}; stored results")


def shortfalls(studies: Studies, folder: str | Path = "results") -> Html | Absent:
    """Every comparison of a target that is missed, undecided or not measured.

    A stand-in where nothing is stored. Raises StorageError where a file is damaged.
    """
    found = measured_targets(studies, folder)
    if not any(found.values()):
        return _none(studies, folder)
    lines = [
        {"data": name, "target": target, "": one.outcome, "difference": str(one)}
        for (target, name), measured in found.items()
        for one in measured
        if one.outcome != REACHED
    ]
    return plain_table(pd.DataFrame(lines), "missed, undecided or not measured; stored results")


def _none(studies: Studies, folder: str | Path) -> Absent:
    return Absent(absent(Path(folder) / f"{next(iter(studies.values()))[0]}.json"))
