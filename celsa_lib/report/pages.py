"""What notebook pages show beside tables and figures: stored results, lists side by side."""

from html import escape
from pathlib import Path

import pandas as pd

from celsa_lib.report.figures import accuracy_by_size
from celsa_lib.report.load import paper_table, with_demo, with_paper
from celsa_lib.report.statistics import summary
from celsa_lib.report.tables import Html, plain_table, results_table, titled
from celsa_lib.results import load_result, located

BESIDE = ("label", "schedule", "restart", "width", "budget_bytes", "paper ndcg@100", "ndcg@100",
          "ndcg@100 ±", "seeds ±", "minus paper")  # fmt: skip


def stored_results(path: str | Path, paper: str | None = None) -> Html:
    """A stored result as a table; a note where there is none yet.

    With `paper`, a dataset of Table 1, the paper's numbers follow in a table of their own: other
    training data, so they are never mixed into our columns.
    """
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    table = results_table(_by_size(summary(stored)), stored.manifest)
    if paper is None:
        return table
    theirs = results_table(paper_table(paper), "the paper's Table 1, trained on the full data")
    return Html(table + f"<details><summary>The paper's numbers</summary>{theirs}</details>")


def stored_figure(path: str | Path):
    """Accuracy against size of a stored result; a note where there is none yet."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    title = titled(stored.manifest, live=False)
    return accuracy_by_size(_by_size(summary(stored)), title=title)


def beside_paper(path: str | Path, dataset: str) -> Html:
    """A stored Table 1 with the paper's numbers for `dataset` and the difference to them.

    Without a stored result the paper's numbers alone, and that it was not run here.
    """
    if located(path).exists():
        stored = load_result(path)
        return _beside(with_paper(summary(stored), dataset), stored.manifest)
    theirs = paper_table(dataset).rename(columns={"ndcg@100": "paper ndcg@100"})
    table = "" if theirs.empty else results_table(theirs, "the paper's Table 1")
    return Html(_not_run(path) + table)


def beside_demo(path: str | Path, dataset: str, *keys: str) -> Html:
    """A stored ablation with the numbers of the paper's demo for `dataset` beside it.

    `keys`: what varies, "schedule" and "restart", or "width". A note where it was not run.
    """
    if not located(path).exists():
        return Html(_not_run(path))
    stored = load_result(path)
    return _beside(with_demo(summary(stored, *keys), dataset), stored.manifest)


def stored_in(folder: str | Path, names: list[str]) -> Html:
    """One line: which of the results `names` are stored, from when, and which are not there."""
    paths = {name: located(Path(folder) / f"{name}.json") for name in names}
    found = []
    for name, path in paths.items():
        if path.exists():
            runs = load_result(path).manifest["runs"].values()
            named = "; ".join(f"{run['date']}, commit {run['commit']}" for run in runs)
            found.append(f"{name} ({named})")
    absent = [name for name, path in paths.items() if not path.exists()]
    text = f"Stored results: {'; '.join(found) or 'none'}."
    text += f" Not run here: {', '.join(absent)}." if absent else ""
    return Html(f'<p class="celsa-provenance"><small>{escape(text)}</small></p>')


def side_by_side(liked: list[str], **lists: pd.DataFrame) -> Html:
    """Recommendations of several models next to each other; `lists` have a column title."""
    titles = pd.DataFrame({name: table["title"] for name, table in lists.items()})
    titles.index = pd.RangeIndex(1, len(titles) + 1, name="rank")
    return Html(f"<p>Liked: {escape('; '.join(liked))}</p>{plain_table(titles.reset_index())}")


def choices(rows: list[dict]) -> pd.DataFrame:
    """What each grid chose from, and whether it chose an end: what lies beyond was not tried.

    Values are nDCG@100 of the validation users.
    """
    return pd.DataFrame([_choice(row) for row in rows if row["trials"]])


def _choice(row: dict) -> dict:
    tried = {
        name: sorted({trial["choice"][name] for trial in row["trials"]})
        for name in row["trials"][0]["choice"]
    }
    values = [trial["ndcg@100"] for trial in row["trials"]]
    ends = [n for n, v in tried.items() if row["params"][n] in (v[0], v[-1])]
    return {
        "method": row["label"],
        "bytes per item": row["budget_bytes"],
        "chosen": ", ".join(f"{name} = {row['params'][name]:g}" for name in tried),
        "from": ", ".join(f"{v[0]:g} to {v[-1]:g} ({len(v)} values)" for v in tried.values()),
        "best": f"{max(values):.4f}",
        "worst": f"{min(values):.4f}",
        "at an end": ", ".join(ends),
    }


def _beside(rows: pd.DataFrame, manifest: dict) -> Html:
    """The columns BESIDE; without the method where there is only one."""
    hidden = ["label"] if rows["label"].nunique() == 1 else []
    columns = [name for name in rows if name in BESIDE and name not in hidden]
    return results_table(_by_size(rows[columns]), manifest)


def _not_run(path: str | Path) -> str:
    return f"<p><em>Not run here: there is no {escape(str(path))}.</em></p>"


def _by_size(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["budget_bytes", "ndcg@100"], ascending=[False, False])


def absent(path: str | Path, part: str = "") -> Html:
    """What a page says where there are no stored results, or not this `part` of them."""
    missing = f"“{part}” is not in {path}" if part else f"there is no {path}"
    return Html(
        f"<p><em>Stored results are not here: {escape(missing)}. "
        f"<code>celsa study {escape(Path(path).stem)}</code> writes it.</em></p>"
    )
