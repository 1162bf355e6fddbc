"""Ablations from results/: tables and figures of a stored study, a note where there is none yet."""

from itertools import pairwise
from pathlib import Path

import pandas as pd

from celsa_lib.evaluation import difference_by_user
from celsa_lib.report import ablations
from celsa_lib.report.load import rows_table
from celsa_lib.report.pages import absent, choices, stored_in
from celsa_lib.report.statistics import difference_cells, paired_table, summary
from celsa_lib.report.tables import Html, notice, plain_table, results_table, titled
from celsa_lib.results import GRADUAL, Result, load_result, located

COMPRESSED = "CompressedELSA"


def study_pairs(path: str | Path, label: str) -> Html:
    """`label` minus each baseline of its size in a stored Table 1, by user; a note without one."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    return Html(plain_table(paired_table(stored, label)) + notice(stored.manifest))


def study_choices(path: str | Path) -> Html:
    """What each method of a stored study chose from on validation users; a note without one."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    seed = stored.manifest["config"]["seeds"][0]
    table = plain_table(choices(stored.select(seed=seed)))
    return Html(f"<details><summary>All choices</summary>{table}</details>")


def live_table(live: Result | None) -> Html:
    """A live run's methods and sizes; a note where its data is not here."""
    if live is None:
        return Html("<p><em>Not run here: the data is not there.</em></p>")
    return results_table(summary(live), live.manifest, live=True)


def live_values(live: Result | None) -> pd.DataFrame:
    """nDCG@100 of a live run to two digits, no lines without one: what a rerun must give again."""
    rows = [] if live is None else rows_table(live.rows).to_dict("records")
    values = [(r["label"], r["budget_bytes"], round(r["ndcg@100"], 2)) for r in rows]
    return pd.DataFrame(values, columns=["method", "bytes per item", "nDCG@100"])


def origin(live: Result | None, path: str | Path) -> Html:
    """A page's first words: what it ran live, and what it shows from `path`."""
    parts = [] if live is None else [notice(live.manifest, live=True)]
    parts.append(stored_in(Path(path).parent, [Path(path).stem]))
    return Html("".join(parts))


def ablation_figure(path: str | Path, names: str, restarted: bool = False):
    """nDCG@100 against bytes, a line per variant, with dense ELSA where the study has it."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    title = titled(stored.manifest, live=False)
    table = _table(stored, names, restarted)
    return ablations.variants_figure(table, title, ablations.dense_level(stored))


def against(path: str | Path, base: dict, others: list[dict]) -> pd.DataFrame:
    """Each of `others` (params that select rows) minus `base`, by user at each size.

    No lines without the file.
    """
    if not located(path).exists():
        return pd.DataFrame()
    stored, lines = load_result(path), []
    for other in others:
        for size in _sizes(stored):
            found = difference_by_user(
                stored.by_user(stored.select(budget_bytes=size, method=COMPRESSED, **other)),
                stored.by_user(stored.select(budget_bytes=size, method=COMPRESSED, **base)),
            )
            lines.append(
                {"variant": _words(other), "minus": _words(base), "bytes per item": size}
                | difference_cells(found)
            )
    return pd.DataFrame(lines)


def restart_differences(path: str | Path) -> pd.DataFrame:
    """Restart minus continue for each gradual schedule, by user at each size."""
    pairs = [
        against(path, {"schedule": s, "restart": False}, [{"schedule": s, "restart": True}])
        for s in GRADUAL
    ]
    return pd.concat(pairs, ignore_index=True)


def width_differences(path: str | Path) -> pd.DataFrame:
    """Each width minus the next smaller one, by user at each size; no lines without the file."""
    if not located(path).exists():
        return pd.DataFrame()
    rows = load_result(path).select(method=COMPRESSED)
    widths = sorted({row["params"]["width"] for row in rows})
    pairs = [
        against(path, {"width": narrow}, [{"width": wide}]) for narrow, wide in pairwise(widths)
    ]
    return pd.concat(pairs, ignore_index=True)


def active_results(path: str | Path) -> Html:
    """Active and dead latents at the end of training, at the smallest size, by variant."""
    if not located(path).exists():
        return absent(path)
    stored, rows, names = _smallest(path)
    return Html(plain_table(ablations.active_table(rows, names)) + notice(stored.manifest))


def stored_active_figure(path: str | Path):
    """Share of latents in use after each epoch, at the smallest size, by variant."""
    if not located(path).exists():
        return absent(path)
    stored, rows, names = _smallest(path)
    title = titled(stored.manifest, live=False)
    return ablations.active_figure(rows, names, title)


def stored_deviations(path: str | Path) -> Html:
    """What each deviation of the released code changes, from a stored run."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    table = plain_table(
        ablations.deviations_table(stored.rows), "nDCG@100 ± standard error over users"
    )
    return Html(table + notice(stored.manifest))


def _smallest(path: str | Path) -> tuple[Result, list[dict], list[str]]:
    stored = load_result(path)
    rows = stored.select(budget_bytes=_sizes(stored)[-1], method=COMPRESSED)
    rows = [row for row in rows if row["seed"] == rows[0]["seed"]]
    return stored, rows, [ablations.variant(row) for row in rows]


def _sizes(stored: Result) -> list[int]:
    return sorted({r["budget_bytes"] for r in stored.select(method=COMPRESSED)}, reverse=True)


def _table(stored: Result, names: str, restarted: bool) -> pd.DataFrame:
    rows = [
        row
        for row in stored.select(method=COMPRESSED)
        if not restarted or row["params"]["restart"] or row["params"]["schedule"] == "constant"
    ]
    return ablations.variants_table(rows, [NAMES[names](row) for row in rows])


NAMES = {
    "schedule": lambda row: row["params"]["schedule"],
    "variant": ablations.variant,
    "width": lambda row: f"width {row['params']['width']:,}",
}


def _words(params: dict) -> str:
    """Selected parameters as a reader would say them."""
    if "width" in params:
        return f"width {params['width']:,}"
    return ablations.variant({"params": {"restart": True} | params})
