"""The paper's numbers, and ours beside them."""

from collections.abc import Sequence
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
    """`rows` with the paper's nDCG@100 where method and bytes are the same, and ours minus it.

    EASE and dense ELSA are matched by method alone: their size is not a budget.
    """
    theirs = paper_table(dataset)
    if theirs.empty:
        return rows
    theirs = _matched(theirs).rename(columns={"ndcg@100": "paper ndcg@100"})
    lines = _beside(_matched(rows), theirs, ["label", "budget"]).drop(columns="budget")
    return lines.assign(**{"minus paper": lines["ndcg@100"] - lines["paper ndcg@100"]})


def with_demo(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """`rows` of an ablation with the numbers of the authors' demo, in settings of its own.

    Matched by label, bytes, and schedule and restart, or width, whichever are columns of `rows`.
    """
    varied = ["schedule", "restart"] if "schedule" in rows else ["width"]
    theirs = demo_table(dataset, varied).rename(columns={"ndcg@100": "demo ndcg@100"})
    return _beside(rows, theirs, ["label", "budget_bytes", *varied])


def demo_table(dataset: str, varied: Sequence[str]) -> pd.DataFrame:
    """nDCG@100 of the authors' demo where `varied` is: schedule and restart, or width.

    Columns label, budget_bytes, schedule, restart, width, ndcg@100; empty for other data sets.
    """
    source = "demo, initial width" if "width" in varied else "demo, pruning strategies"
    numbers = paper_numbers().rename(columns={"value": "ndcg@100", "initial_width": "width"})
    chosen = (numbers["source"] == source) & (numbers["metric"] == "ndcg@100")
    theirs = numbers[chosen & (numbers["dataset"] == dataset)]
    return theirs.assign(restart=theirs["restart"] == "yes", width=theirs["width"].astype(int))


def demo_value(dataset: str, width: int, budget_bytes: int) -> float:
    """nDCG@100 that the authors' demo reports for one initial width and size."""
    numbers = demo_table(dataset, ["width"])
    chosen = (numbers["width"] == width) & (numbers["budget_bytes"] == budget_bytes)
    return float(numbers.loc[chosen, "ndcg@100"].item())


def _beside(rows: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """`rows` with the value of `theirs` where `keys` agree."""
    (value,) = (name for name in theirs if name.endswith(" ndcg@100"))
    return rows.merge(theirs[[*keys, value]], on=keys, how="left")


def _matched(table: pd.DataFrame) -> pd.DataFrame:
    """With a column `budget`: the bytes, or 0 for a method that has no budget."""
    return table.assign(budget=table["budget_bytes"].mask(table["label"].isin(UNCOMPRESSED), 0))
