"""The paper's numbers, and ours beside them."""

from importlib.resources import files

import pandas as pd

from celsa_lib.data import dataset_info, datasets
from celsa_lib.models.registry import UNCOMPRESSED


def name_in_paper(dataset: str) -> str:
    """The paper's data set that `dataset` is, or is a part of; itself where it is neither."""
    return (dataset_info(dataset).part_of if dataset in datasets() else "") or dataset


def paper_numbers() -> pd.DataFrame:
    """Every number of the paper and its demo, a line each, with its source.

    Columns source, dataset, label, metric, budget_bytes, initial_width, schedule, restart, value.
    """
    with (files("celsa_lib.report") / "paper.csv").open() as file:
        return pd.read_csv(file)


def paper_table(dataset: str) -> pd.DataFrame:
    """Table 1 of the paper for a dataset: label, budget_bytes, ndcg@100 (empty if not in it)."""
    numbers = paper_numbers()
    table = numbers[(numbers["source"] == "Table 1") & (numbers["dataset"] == dataset)]
    table = table[["label", "budget_bytes", "value"]].rename(columns={"value": "ndcg@100"})
    return table.reset_index(drop=True)


def with_paper(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """`rows` with the paper's nDCG@100 and ours minus it, where method and bytes are the same.

    EASE and dense ELSA are matched by method alone: their size is not a budget.
    """
    theirs = paper_table(dataset)
    if theirs.empty:
        return rows
    theirs = _matched(theirs).rename(columns={"ndcg@100": "paper ndcg@100"})
    return _beside(_matched(rows), theirs, ["label", "budget"]).drop(columns="budget")


def with_demo(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """`rows` of an ablation with the numbers of the paper's demo and ours minus them.

    Matched by label, bytes, and schedule and restart, or width, whichever are columns of `rows`.
    """
    by_schedule = "schedule" in rows
    source = "demo, pruning strategies" if by_schedule else "demo, initial width"
    keys = ["label", "budget_bytes", *(["schedule", "restart"] if by_schedule else ["width"])]
    numbers = paper_numbers().rename(columns={"value": "paper ndcg@100", "initial_width": "width"})
    chosen = (numbers["source"] == source) & (numbers["metric"] == "ndcg@100")
    theirs = numbers[chosen & (numbers["dataset"] == dataset)]
    return _beside(rows, theirs.assign(restart=theirs["restart"] == "yes"), keys)


def _beside(rows: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    matched = rows.merge(theirs[[*keys, "paper ndcg@100"]], on=keys, how="left")
    return matched.assign(**{"minus paper": matched["ndcg@100"] - matched["paper ndcg@100"]})


def _matched(table: pd.DataFrame) -> pd.DataFrame:
    """With a column `budget`: the bytes, or 0 for a method that has no budget."""
    return table.assign(budget=table["budget_bytes"].mask(table["label"].isin(UNCOMPRESSED), 0))
