"""Results as tables: from a run in memory, from stored JSON, from the paper."""

import json
from importlib.resources import files

import pandas as pd

PAPER = "the paper"
METRICS = ("ndcg@100", "recall@20", "recall@50")


def rows_table(rows: list[dict]) -> pd.DataFrame:
    """One line a row: label, budget_bytes, metrics, their standard errors ("… ±"), params, …"""
    flat = []
    for row in rows:
        errors = {f"{name} ±": value for name, value in row["stderr"].items()}
        rest = {key: value for key, value in row.items() if key not in ("mean", "stderr")}
        flat.append(rest | row["mean"] | errors)
    return pd.DataFrame(flat)


def paper_table(dataset: str) -> pd.DataFrame:
    """Table 1 of the paper for a dataset: label, budget_bytes, ndcg@100 (empty if not in it)."""
    text = (files("celsa_lib.report") / "paper_table_1.json").read_text()
    table = pd.DataFrame(json.loads(text))
    return table[table["dataset"] == dataset].drop(columns="dataset").reset_index(drop=True)


def with_paper(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """`rows` with the paper's nDCG@100 beside ours where method and bytes are the same."""
    theirs = paper_table(dataset).rename(columns={"ndcg@100": "paper ndcg@100"})
    if theirs.empty:
        return rows
    return rows.merge(theirs, on=["label", "budget_bytes"], how="left")
