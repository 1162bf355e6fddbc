"""Results as tables: from a run in memory, from stored JSON, from the paper."""

import json
from importlib.resources import files
from pathlib import Path

import pandas as pd

from celsa_lib.errors import StorageError

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


def read_stored(path: str | Path) -> tuple[list[dict], dict]:
    """(rows, manifest) of a stored result. Raises StorageError if it is not one."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != "celsa-result" or content["version"] != 1:
            raise StorageError(f"{path} is of another format or version; run it again")
        return content["rows"], content["manifest"]
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; run the study that writes it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not a file of results, or is damaged ({error!r})") from error


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
