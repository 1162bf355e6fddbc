"""Tables of training among up to a million items, from the stored benchmark."""

import pandas as pd

from celsa_lib.report.cost import section
from celsa_lib.report.million import MILLION
from celsa_lib.results import Result

OF_TRUTH, OUR_START = "truth", "sparse start"
TO_MEASURE = "not measured yet: run benchmarks/scale_training.py"
KINDS_OF_TARGETS = {
    "cold": "nDCG@100, new targets",
    "cold alone": "the same, among new items",
    "all": "nDCG@100, all targets",
}


def scale_table(result: Result) -> pd.DataFrame:
    """Accuracy and its share of the truth's, processors' seconds of each stage, peak memory."""
    rows = section(result, "scale")
    truths = rows[rows["contender"] == OF_TRUTH].set_index("items")["mean"]
    lines = []
    for _, row in rows.sort_values("items", kind="stable").iterrows():
        line = {
            "items": f"{row['items']:,}", "contender": row["contender"],
            "nDCG@100": f"{row['mean']:.4f} ± {row['stderr']:.4f}",
        }  # fmt: skip
        if row["items"] in truths:
            line["of the truth's"] = f"{row['mean'] / truths[row['items']]:.0%}"
        if row["contender"] != OF_TRUTH:
            line |= {
                "users": f"{row['users']:,.0f}", "interactions": f"{row['interactions']:,.0f}",
                "epochs": "–" if pd.isna(row.get("epochs")) else f"{row['epochs']:.0f}",
                "start, s": _seconds(row.get("cpu_seconds_start")),
                "training, s": _seconds(row["cpu_seconds_training"]),
                "peak memory, GiB": f"{row['peak_gib']:.2f}",
                "loops": row["backend"] if isinstance(row["backend"], str) else "–",
            }  # fmt: skip
        lines.append(line)
    if not any(rows["contender"].eq(OUR_START) & rows["items"].eq(MILLION)):
        lines.append({"items": f"{MILLION:,}", "contender": OUR_START, "nDCG@100": TO_MEASURE})
    return pd.DataFrame(lines).fillna("–")


def scale_ease(result: Result) -> pd.DataFrame:
    """What EASE would take: memory by its formula, time by the cube from what was measured."""
    lines = []
    for _, row in section(result, "ease").sort_values("items").iterrows():
        line = {"items": f"{row['items']:,}", "memory, GiB": f"{row['gib']:,.1f}"}
        if pd.notna(row.get("seconds")):
            line["hours, by the cube"] = f"{row['seconds'] / 3600:,.2f}"
            line["measured at, items"] = f"{row['from_items']:,.0f}"
        lines.append(line)
    return pd.DataFrame(lines).fillna("–")


def scale_new_items(result: Result) -> pd.DataFrame:
    """nDCG@100 on targets that were held back from training, by what is done about them."""
    lines = []
    for row in result.select(section="new items"):
        for made in row["lines"]:
            line = {"items": f"{row['items']:,}", "new": f"{row['new']:,}", "rows": made["what"]}
            line["seconds"] = _seconds(made["seconds"])
            for kind, title in KINDS_OF_TARGETS.items():
                line[title] = f"{made['mean'][kind]:.4f} ± {made['stderr'][kind]:.4f}"
            lines.append(line)
    return pd.DataFrame(lines)


def _seconds(value: float | None) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
