"""The recommended setting's rule beside what validation users choose, and beside other starts."""

from statistics import fmean

import pandas as pd

from celsa_lib.evaluation import difference_by_user
from celsa_lib.report.statistics import METRIC, difference_cells
from celsa_lib.report.verdicts import Check, compared
from celsa_lib.results import Result

GIVEN = {"recipe", "precision", "nnz"}  # of every row of the study; what else is given varies
CALLED = {
    "learning_rate": "learning rate",
    "dropout": "input dropout",
    "reg": "ridge",
    "length_exponent": "length exponent",
    "n_neighbours": "neighbours",
    "floor": "floor",
    "epochs": "epochs",
}
START = "n_neighbours"
NEARLY = 0.99  # the rule should be within 1 % of the choice


def rule_lines(result: Result) -> pd.DataFrame:
    """A line for each size and number that is not the rule's: the rule − the other.

    Columns bytes per item, changed (the parameter), rule, other (its values), validation (nDCG@100
    of the other, NaN where nothing was chosen), ours, theirs (nDCG@100 of test users), difference
    and nearly (by user, to all and to NEARLY of theirs). Raises StorageError without users' values.
    """
    groups: dict[tuple, list[dict]] = {}
    for row in result.rows:
        other = {n: value for n, value in row["params"].items() if n not in GIVEN}
        groups.setdefault((row["budget_bytes"], *other.items()), []).append(row)
    lines = []
    for (size, *changed), rows in groups.items():
        for name, value in changed:  # one, but for the rule itself
            own = groups[(size,)]
            ours, theirs = result.by_user(own), result.by_user(rows)
            tried = [trial[METRIC] for trial in rows[0]["trials"]]
            lines.append(
                {"bytes per item": size, "changed": name, "rule": own[0]["resolved"][name]}
                | {"other": value, "validation": max(tried, default=float("nan"))}
                | {"ours": fmean(ours), "theirs": fmean(theirs)}
                | {"difference": difference_by_user(ours, theirs)}
                | {"nearly": difference_by_user(ours, NEARLY * theirs)}
            )
    return pd.DataFrame(lines)


def chosen_lines(result: Result) -> pd.DataFrame:
    """Those of `rule_lines` that validation users chose, the best of each size marked in `best`."""
    lines = rule_lines(result)
    lines = lines[lines["validation"].notna()]
    best = lines.groupby("bytes per item")["validation"].idxmax()
    return lines.assign(best=lines.index.isin(best))


def nearly_chosen(result: Result) -> list[Check]:
    """The rule − 0.99 × the best of what validation users choose, at each size."""
    lines = chosen_lines(result)
    return [
        compared(f"{line['bytes per item']:,} B, {CALLED[line['changed']]}", line["nearly"])
        for line in lines[lines["best"]].to_dict("records")
    ]


def start_against_whole(result: Result) -> list[Check]:
    """A start by blocks of fifty neighbours − one by the whole inverse, at each size."""
    lines = rule_lines(result)
    whole = lines[(lines["changed"] == START) & (lines["other"] == lines["other"].max())]
    return [
        compared(f"{line['bytes per item']:,} B", line["difference"])
        for line in whole.to_dict("records")
    ]


def chosen_table(result: Result) -> pd.DataFrame:
    """`chosen_lines` as text."""
    lines = chosen_lines(result)
    return _shown(lines).assign(
        **{"validation": lines["validation"].map("{:.4f}".format)},
        **{"best of the size": lines["best"].map({True: "yes", False: ""})},
    )


def start_table(result: Result) -> pd.DataFrame:
    """Starts by other neighbourhoods and by the whole inverse, as text."""
    lines = rule_lines(result)
    lines = lines[lines["changed"] == START]
    whole = lines["other"].max()
    return _shown(lines.assign(other=lines["other"].replace({whole: "all items"})))


def _shown(lines: pd.DataFrame) -> pd.DataFrame:
    """Columns that both tables have, as text."""
    shown = lines[["bytes per item", "changed", "rule", "other"]].replace({"changed": CALLED})
    shown["nDCG@100, rule"] = lines["ours"].map("{:.4f}".format)
    shown["other, nDCG@100"] = lines["theirs"].map("{:.4f}".format)
    shown["share"] = (lines["ours"] / lines["theirs"]).map("{:.1%}".format)
    cells = pd.DataFrame(list(map(difference_cells, lines["difference"])), lines.index)
    return shown.join(cells).reset_index(drop=True)
