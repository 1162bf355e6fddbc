"""Tables of implementations among up to a million items, from the stored benchmark."""

import pandas as pd

from celsa_lib.report.cost import section
from celsa_lib.results import Result

MILLION = 1_000_000
NOT_MEASURED = "not measured yet: run benchmarks/million_items.py"
HIGH_RECALL = 0.99
EQUAL_BYTES = "32 dims"  # the end of a name: dense rows of as many bytes as sparse ones
EXACT_CELSA, NEARLY_CELSA = "celsa, exact", "celsa, less effort"
GRAPH = "faiss HNSW, 256 dims"  # the widest dense rows: of them the most accurate
MOST_MS = 2


def million_table(result: Result) -> pd.DataFrame:
    """What each implementation does among a million items; a note where it was not measured."""
    names = section(result, "million items")["contender"].unique()
    rows = section(result, "million items").set_index(["items", "contender"])
    lines = []
    for name in names:
        if (MILLION, name) not in rows.index:
            lines.append({"implementation": name, "outcome": NOT_MEASURED})
            continue
        row = rows.loc[(MILLION, name)]
        if row["outcome"] != "measured":
            lines.append({"implementation": name, "outcome": row["said"]})
            continue
        lines.append({
            "implementation": name, "outcome": "measured", "recall@100": f"{row['recall']:.3f}",
            "one user, median ms": _ms(row["p50"]), "99 %, ms": _p99(row),
            "users a second": f"{row['users_per_second']:,.0f}",
            "memory, MiB": f"{row['memory_mib']:,.0f}",
            "on disk, MiB": f"{row['disk_mib']:,.0f}" if row.get("disk_mib", 0) > 0 else "–",
            "ready after, s": f"{ready_after(result, name, MILLION, row):,.1f}",
        })  # fmt: skip
    return pd.DataFrame(lines).fillna("–")


def million_growth(result: Result) -> pd.DataFrame:
    """Median milliseconds of one user by number of items, and how many times the smallest."""
    rows = measured_million(result)
    table = rows.pivot(index="contender", columns="items", values="p50").reindex(
        rows["contender"].unique()
    )
    grown = (table.iloc[:, -1] / table.iloc[:, 0]).map("{:,.1f}×".format)
    shown = table.map(_ms, na_action="ignore").fillna("–")
    shown.columns = [f"{items:,} items, ms" for items in table.columns]
    grown = grown.where(table.iloc[:, -1].notna() & table.iloc[:, 0].notna(), "–")
    return shown.assign(growth=grown).rename_axis("implementation").reset_index()


def million_choice(result: Result) -> pd.DataFrame:
    """Which implementation to pick when, by what was measured at the most items."""
    rows, items = largest_million(result)
    if rows.empty:
        return pd.DataFrame({"if you want": ["–"], "pick": [NOT_MEASURED]})
    is_dense, loads = rows["contender"].str.startswith("faiss"), result.select(section="load")
    most_found = rows["recall"] >= HIGH_RECALL
    exact, close = rows[~is_dense & (rows["recall"] == 1)], rows[~is_dense & most_found]
    kept = rows[rows["contender"].isin([row["contender"] for row in loads])]
    # Those of equal bytes are left out: what they find is less accurate.
    dense = rows[is_dense & most_found & ~rows["contender"].str.endswith(EQUAL_BYTES)]
    asked = [
        ("exact lists, one user at a time", exact, "p50", _with_unit),
        ("exact lists, many users", exact, "users_per_second", "{:,.0f} a second".format),
        (f"a recall of {HIGH_RECALL}, one user at a time", close, "p50", _with_unit),
        (f"a recall of {HIGH_RECALL}, little memory", close, "memory_mib", "{:,.0f} MiB".format),
        ("rows kept by a database", kept, "p50", _with_unit),
        (f"dense rows, 256 dimensions, their recall {HIGH_RECALL}", dense, "p50", _with_unit),
    ]
    lines = []
    for what, group, column, shown in (one for one in asked if len(one[1])):
        values = group.set_index("contender")[column]
        name = values.idxmax() if column == "users_per_second" else values.idxmin()
        lines.append(
            {"if you want": what, "pick": name, f"at {items:,} items": shown(values[name])}
        )
    return pd.DataFrame(lines)


def million_aims(result: Result) -> pd.DataFrame:
    """What search aims at among the most items, what was measured, and whether it is reached."""
    rows = largest_million(result)[0].set_index("contender")
    if EXACT_CELSA not in rows.index:
        return pd.DataFrame({"aim": ["–"], "measured": [NOT_MEASURED]})
    ours, is_dense = rows.loc[EXACT_CELSA], rows.index.str.startswith("faiss")
    others = rows[~is_dense & ~rows.index.str.startswith("celsa") & (rows["recall"] == 1)]
    exact = ours["p50"]
    lines = [
        _aim(f"exact, one user: at most {MOST_MS} ms", _with_unit(exact), exact <= MOST_MS / 1e3)
    ]
    if len(others):
        best = others["p50"].idxmin()
        beside = f"{_with_unit(exact)}; {best} {_with_unit(others['p50'][best])}"
        lines.append(_aim("faster than every exact engine", beside, exact < others["p50"][best]))
    if {NEARLY_CELSA, GRAPH} <= set(rows.index):
        nearly, graph = rows.loc[NEARLY_CELSA], rows.loc[GRAPH]
        finds = nearly["recall"] >= HIGH_RECALL
        fast = rows[rows.index.str.startswith("celsa") & (rows["p50"] <= 2 * graph["p50"])]
        fast = fast[fast["recall"] >= HIGH_RECALL]
        small = fast.loc[fast["memory_mib"].idxmin()] if len(fast) else nearly
        lines.append(_aim(
            f"a recall of {HIGH_RECALL} in at most twice the time of {GRAPH}",
            f"{_found(nearly)}; {_found(graph)}, its most",
            finds and nearly["p50"] <= 2 * graph["p50"],
        ))  # fmt: skip
        lines.append(_aim(
            "the same in a tenth of its memory",
            f"{_found(small)}, {small['memory_mib']:,.0f} of {graph['memory_mib']:,.0f} MiB",
            len(fast) > 0 and small["memory_mib"] <= graph["memory_mib"] / 10,
        ))  # fmt: skip
    return pd.DataFrame(lines)


def _aim(what: str, measured: str, is_reached: bool) -> dict:
    return {"aim": what, "measured": measured, "reached": "yes" if is_reached else "no"}


def _found(row: pd.Series) -> str:
    return f"{row.name} {row['recall']:.3f} in {_with_unit(row['p50'])}"


def million_loads(result: Result) -> pd.DataFrame:
    """Loads that were killed half-way: their speed, what was repeated, and what is there."""
    held, lines = section(result, "million items").set_index(["contender", "items"]), []
    loads = result.select(section="load")
    for row in sorted(loads, key=lambda row: (row["contender"], row["items"])):
        line = {"into": row["contender"], "rows": row["items"]}
        if row["outcome"] != "measured":
            lines.append(line | {"rows a second": row["said"]})
            continue
        key = row["contender"], row["items"]
        after = held.loc[key].dropna() if key in held.index else {}
        lines.append(line | {
            "rows a second": f"{row['rows_per_second']:,.0f}",
            "there when killed": f"{row['killed_at']:,.0f}",
            "written twice": f"{row['repeated']:,.0f}",
            "there at the end": f"{after['held']:,.0f}" if "held" in after else "–",
            "recall@100 then": f"{after['recall']:.3f}" if "recall" in after else "–",
        })  # fmt: skip
    return pd.DataFrame(lines).fillna("–")


def million_limits(result: Result) -> pd.DataFrame:
    """What exact search of one user reads, how long a copy of that takes, and ours beside it."""
    copy = section(result, "hardware").set_index("what")["rate"]["copy"]
    ours = measured_million(result).query("contender == @EXACT_CELSA").set_index("items")["p50"]
    lines = []
    for row in result.select(section="rows", contender="made"):
        read, items = row["statistics"]["touched_mib"], row["items"]
        seconds = read * 2**20 / (1e9 * copy)
        lines.append({
            "items": items, "a user's postings, MiB": f"{read:,.2f}", "copy, GB/s": f"{copy:g}",
            "read at that speed, ms": _ms(seconds),
            "celsa, exact, median ms": _ms(ours[items]) if items in ours else "–",
            "relative time": f"{ours[items] / seconds:,.1f}×" if items in ours else "–",
        })  # fmt: skip
    return pd.DataFrame(lines)


def million_accuracy(result: Result) -> pd.DataFrame:
    """nDCG@100 of sparse rows and of dense ones of each width, on real data."""
    lines = section(result, "equal accuracy")
    return pd.DataFrame({
        "model, bytes per item": lines["what"], "nDCG@100": lines["value"].map("{:.4f}".format),
        "reaches that of sparse rows": lines["reaches"].map({True: "yes", False: "no"}),
        "stored in": lines["source"],
    })  # fmt: skip


def million_rows(result: Result) -> pd.DataFrame:
    """What made rows and histories have in common with real ones."""
    lines = {}
    for _, row in section(result, "rows").sort_values("items").iterrows():
        title = f"{row['items']:,} made" if row["items"] else "real"
        lines[title] = {k: f"{v:g}" for k, v in row["statistics"].items() if k != "touched_mib"}
    return pd.DataFrame(lines).rename_axis("what").reset_index()


def measured_million(result: Result) -> pd.DataFrame:
    """Rows that hold figures, in the order of the first of each implementation."""
    rows = section(result, "million items")
    return rows[rows["outcome"] == "measured"]


def largest_million(result: Result) -> tuple[pd.DataFrame, int]:
    """Those at the most items, and how many these are."""
    rows = measured_million(result)
    items = int(rows["items"].max()) if len(rows) else 0
    return rows[rows["items"] == items], items


def ready_after(result: Result, name: str, items: int, row: pd.Series) -> float:
    """Seconds until an implementation answers: of its load, where it keeps rows."""
    loads = [
        r for r in result.select(section="load", contender=name, items=items) if "seconds" in r
    ]
    return loads[0]["seconds"] if loads else row["build_seconds"]


def _p99(row: pd.Series) -> str:
    """With a note where too few users were asked for it."""
    return _ms(row["p99"]) if row["asked"] >= 100 else f"{_ms(row['p99'])} of {row['asked']:.0f}"


def _with_unit(seconds: float) -> str:
    return f"{_ms(seconds)} ms"


def _ms(seconds: float) -> str:
    """Milliseconds with as many digits as say something."""
    return f"{1e3 * seconds:,.2f}" if seconds < 0.01 else f"{1e3 * seconds:,.0f}"
