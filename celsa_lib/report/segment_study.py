"""Tables and figures of a study of segments: how good they are, beside baselines."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.report.base import Parts, Report
from celsa_lib.report.style import new_figure
from celsa_lib.results import Result

GROUPING_ORDER = (
    "raw groups",
    "merged by names",
    "merged by activation",
    "k-means, as many as raw groups",
    "k-means, as many as merged by names",
    "random, sizes of raw groups",
    "random, sizes of merged by names",
    "rarest genre",
)
JACCARD = "genres (weighted Jaccard)"  # the measure that the figure shows
SHARES = {
    "recommended": "in the recommended segments",
    "history": "in the segments with most items of the user's history",
    "popular": "in the most popular segments",
    "by popularity": "in the recommended ones, if popularity alone decided",
    "random": "in random segments",
}


def planted_table(rows: list[dict]) -> pd.DataFrame:
    """Groupings of planted segments at each width: groups, ARI, NMI and purity."""
    table = pd.DataFrame(rows).round({"ari": 2, "nmi": 2, "purity": 2})
    return table.rename(columns={"ari": "ARI", "nmi": "NMI"})


def groupings_table(result: Result) -> pd.DataFrame:
    """Groupings by measure: the value and its 95 % interval over groups."""
    return _of_each_space(result, "groupings", _groupings)


def alignment_table(result: Result) -> pd.DataFrame:
    """Shares of held-out items and of top-N lists by segments, with intervals over users."""
    return _of_each_space(result, "alignment", _alignment)


def _of_each_space(
    result: Result, section: str, table: Callable[[list[dict]], pd.DataFrame]
) -> pd.DataFrame:
    """The tables of a section's spaces of embeddings as one, named where there are several."""
    rows = [row for row in result.rows if row["section"] == section]
    spaces = list(dict.fromkeys(row["space"] for row in rows))
    tables = [table([row for row in rows if row["space"] == space]) for space in spaces]
    if len(spaces) > 1:
        for space, lines in zip(spaces, tables, strict=True):
            lines.insert(0, "space", space)
    return pd.concat(tables, ignore_index=True).fillna("") if tables else pd.DataFrame()


def _groupings(rows: list[dict]) -> pd.DataFrame:
    cells = {}
    for row in rows:
        cell = f"{row['value']:.3f}"
        if "low" in row:
            cell += f" [{row['low']:.3f}, {row['high']:.3f}]"
        line = cells.setdefault(row["grouping"], {"groups": row["groups"], "alone": row["alone"]})
        line[row["measure"]] = cell
    ordered = [name for name in GROUPING_ORDER if name in cells]
    table = pd.DataFrame([{"grouping": name} | cells[name] for name in ordered])
    return table.rename(columns={"alone": "items alone"}).fillna("")


def coherence_figure(result: Result) -> Figure:
    """Coherence by JACCARD of each grouping with its interval, one panel per space."""
    spaces = list(dict.fromkeys(r["space"] for r in result.rows if r["section"] == "groupings"))
    shape = {"nrows": 1, "ncols": len(spaces), "figsize": (7.0, 3.6)}
    with new_figure(**shape, sharey=True, squeeze=False) as (figure, panels):
        for axes, space in zip(panels[0], spaces, strict=True):
            rows = {
                r["grouping"]: r
                for r in result.rows
                if r["section"] == "groupings" and r["space"] == space and r["measure"] == JACCARD
            }
            names = [name for name in GROUPING_ORDER if name in rows][::-1]
            values = np.array([rows[n]["value"] for n in names])
            bounds = np.array([(rows[n]["low"], rows[n]["high"]) for n in names])
            errors = np.abs(bounds - values[:, None]).T
            colours = [_kind_colour(name) for name in names]
            axes.barh(names, values, xerr=errors, color=colours, capsize=2)
            axes.set(title=space.replace(" ", "\n"))  # side by side, in two lines each
        figure.supxlabel(f"{JACCARD}, pairs of items in a group", fontsize=11)
    return figure


def _kind_colour(grouping: str) -> str:
    kinds = {"raw": 0, "merged": 0, "k-means": 1, "random": 3}
    kind = kinds.get(grouping.split()[0].rstrip(","), 2)
    return ("#D55E00", "#0072B2", "#009E73", "#999999")[kind]


def tau_figure(result: Result) -> Figure:
    """Number of segments and their coherence by the threshold τ of merging."""
    rows = pd.DataFrame([r for r in result.rows if r["section"] == "tau"])
    with new_figure(nrows=1, ncols=2, figsize=(7.0, 3.2)) as (figure, (left, right)):
        left.plot(rows["tau"], rows["groups"], "o-", color="#D55E00")
        left.set(xlabel="τ (cosine of names)", ylabel="segments", ylim=(0, None))
        errors = np.abs(rows[["low", "high"]].to_numpy() - rows[["value"]].to_numpy()).T
        right.errorbar(
            rows["tau"], rows["value"], yerr=errors, color="#0072B2", marker="s", capsize=2
        )
        right.set(xlabel="τ (cosine of names)", ylabel="genres in common, pairs", ylim=(0, None))
    return figure


def _alignment(rows: list[dict]) -> pd.DataFrame:
    by_measure = {row["measure"]: row for row in rows}
    table = []
    for key, words in SHARES.items():
        line = {"share": words, "held-out items": _percent(by_measure[key])}
        top = by_measure.get(f"top {key}")
        table.append(line | {"the model's ten best": _percent(top) if top else ""})
    return pd.DataFrame(table)


def _percent(row: dict) -> str:
    if row["low"] == row["high"]:
        return f"{row['value']:.2%}"
    return f"{row['value']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"


def stability_table(result: Result) -> pd.DataFrame:
    """Agreement of groupings between seeds: ARI and AMI, mean over pairs of seeds."""
    return _of_each_space(result, "stability", _stability)


def _stability(rows: list[dict]) -> pd.DataFrame:
    columns = {"grouping": "grouping", "seeds": "seeds", "ari": "ARI", "ami": "AMI"}
    table = pd.DataFrame(rows, columns=list(columns)).rename(columns=columns)
    return table.round({"ARI": 3, "AMI": 3})


def stage_seconds(result: Result) -> pd.DataFrame:
    """Seconds of training, of each space, and of the whole study."""
    rows = [(r["what"], r["value"]) for r in result.rows if r["section"] == "seconds"]
    rows.append(("all", result.manifest["seconds"]))
    return pd.DataFrame(rows, columns=["part", "seconds"]).round(1)


def names_table(result: Result) -> pd.DataFrame:
    """Stored names of groups of the released embeddings beside the default describer's.

    One column per describer, called by its source.
    """
    rows = [row for row in result.rows if row["section"] == "names"]
    return pd.DataFrame(
        {"items": row["items"], row["own by"]: row["own"], row["stored by"]: row["stored"]}
        for row in rows
    )


class SegmentsReport(Report):
    """A study of segments in one or more spaces of embeddings."""

    TABLES: ClassVar[Parts] = {
        "groupings": groupings_table,
        "alignment": alignment_table,
        "stability": stability_table,
        "names": names_table,
        "seconds": stage_seconds,
    }
    FIGURES: ClassVar[Parts] = {"coherence": coherence_figure, "τ": tau_figure}

    def of(self, space: str) -> "SegmentsReport":
        """What there is of one space alone: "our embeddings" or "released embeddings"."""
        rows = [row for row in self.result.rows if row.get("space") == space]
        return SegmentsReport(replace(self.result, rows=rows))
