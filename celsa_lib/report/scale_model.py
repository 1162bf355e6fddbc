"""What training costs by users, items and nonzeros: a model fitted to stored sizes.

Seconds and bytes are sums of few terms that the algorithms give; how much one of each costs is
fitted to all sizes but the largest, which tests it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from celsa_lib.report.cost import section
from celsa_lib.report.scale import OUR_START, TO_MEASURE
from celsa_lib.results import Result

LATER = 10_000_000  # items that the model is asked about
LISTS = "sparse lists"  # the backend whose time grows with the lists of users' latents


class Cost(NamedTuple):
    """What is measured of a row, and what it is a sum of: (in words, how much of it a row has)."""

    title: str
    measured: str
    terms: Sequence[tuple[str, Callable[[dict], float]]]


def _per_row(row: dict) -> float:
    return row["nonzeros"] / row["items"]


def _by_lists(row: dict) -> float:
    """Values in the lists of users' latents, each as long as a row on average."""
    return row["epochs"] * row["interactions"] * _per_row(row) ** 2


def _by_rows(row: dict) -> float:
    return row["epochs"] * row["users"] * row["nonzeros"]


COSTS = (
    Cost("start, s", "cpu_seconds_start", (
        ("interactions²/users: pairs that are counted",
         lambda r: r["interactions"] ** 2 / r["users"]),
        ("items: blocks that are inverted", lambda r: r["items"]),
    )),
    Cost("training, s", "cpu_seconds_training", (
        ("epochs·users·nonzeros: loops over all rows",
         lambda r: 0.0 if r["backend"] == LISTS else _by_rows(r)),
        ("epochs·interactions·nnz²: loops by lists",
         lambda r: _by_lists(r) if r["backend"] == LISTS else 0.0),
    )),
    Cost("peak memory, GiB", "peak_gib", (
        ("what does not grow", lambda r: 1.0),
        ("interactions and nonzeros", lambda r: r["interactions"] + r["nonzeros"]),
    )),
)  # fmt: skip


def scale_model(result: Result) -> pd.DataFrame:
    """Each cost, its terms with what one of them costs, the largest size as foretold by the smaller
    ones and as measured, and what LATER items would take.
    """
    rows = section(result, "scale")
    rows = rows[rows["contender"] == OUR_START].sort_values("items").to_dict("records")
    if len(rows) < 3:
        return pd.DataFrame([{"cost": "of three sizes", "grows with": TO_MEASURE}])
    *smaller, largest = rows
    later = _grown(largest, LATER / largest["items"])
    lines = []
    for cost in COSTS:
        one = _fitted(cost, smaller)
        foretold, then = (_total(cost, one, row) for row in (largest, later))
        measured = largest[cost.measured]
        lines.append({
            "cost": cost.title, "grows with": "; ".join(words for words, _ in cost.terms),
            "one of each": ", ".join("–" if np.isnan(value) else f"{value:.2g}" for value in one),
            f"{largest['items']:,} items, foretold": _number(foretold),
            "measured": _number(measured),
            "foretold/measured": "–" if np.isnan(foretold) else f"{foretold / measured:.2f}",
            f"{LATER:,} items, foretold": _number(then),
        })  # fmt: skip
    return pd.DataFrame(lines)


def _fitted(cost: Cost, rows: Sequence[dict]) -> np.ndarray:
    """What one of each term costs, 0 or more, by least squares of relative errors; NaN for a term
    that no row has.
    """
    parts = np.array([[part(row) for _, part in cost.terms] for row in rows], float)
    measured = np.array([row[cost.measured] for row in rows], float)
    there = parts.any(axis=0)
    one = np.full(len(cost.terms), np.nan)
    sizes = parts[:, there].max(axis=0)
    found, _ = nnls(parts[:, there] / sizes / measured[:, None], np.ones(len(rows)))
    one[there] = found / sizes
    return one


def _total(cost: Cost, one: np.ndarray, row: dict) -> float:
    """The sum of the terms that a row has."""
    parts = np.array([part(row) for _, part in cost.terms], float)
    return float((parts[parts > 0] * one[parts > 0]).sum())


def _grown(row: dict, factor: float) -> dict:
    """A row with `factor` times the users, items and what goes with them."""
    growing = ("items", "users", "interactions", "nonzeros")
    return row | {name: row[name] * factor for name in growing}


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def shards_table(result: Result) -> pd.DataFrame:
    """Steps with the rows of one process, not divided, and shared by several."""
    rows = section(result, "processes")
    lines = []
    for _, same in rows.groupby("items"):
        whole = same[same["processes"] == 0].iloc[0]
        for _, row in same.sort_values("processes").iterrows():
            divided = row["processes"] > 0
            line = {"items": f"{row['items']:,}", "rows": "not divided"}
            if divided:
                line["rows"] = f"in {row['processes']:.0f} processes"
            line |= {
                "ms a step": f"{1e3 * row['seconds']:.1f}",
                "times as fast": f"{whole['seconds'] / row['seconds']:.2f}",
                "of a processor, ms": f"{1e3 * row['cpu']:.1f}",
                "peak memory of one, GiB": f"{max(row['peak_gib']):.2f}",
            }
            for kind in ("computed", "sent", "carried"):
                line[f"MB {kind}"] = f"{row[kind] / 1e6:.2f}" if divided else "–"
            lines.append(line)
    return pd.DataFrame(lines)


def streams_table(result: Result) -> pd.DataFrame:
    """Interactions that were read from Parquet in a stream: time and memory."""
    return pd.DataFrame([
        {
            "rows": f"{row['rows']:,}", "Parquet, GiB": f"{row['parquet_gib']:.2f}",
            "interactions kept": f"{row['interactions']:,}", "reading, s": f"{row['reading']:.0f}",
            "100 batches, s": f"{row['cutting']:.1f}",
            "peak memory, GiB": f"{row['peak_gib']:.2f}",
        }
        for row in result.select(section="stream")
    ])  # fmt: skip
