"""Several seeds and many users: what varies with which, and when one is better than another.

Two errors are kept apart. The one over users says how far another sample of users would move a
number; the one over seeds says how far another run of the same training would.
"""

import json

import numpy as np
import pandas as pd

from celsa_lib.errors import DataError
from celsa_lib.evaluation import Difference, difference_by_user, standard_error
from celsa_lib.results import Result

METRIC = "ndcg@100"
EXPOSURE = ("coverage@50", "rare recall@50")  # of a row beside its metrics, where it was measured


def summary(result: Result, *keys: str) -> pd.DataFrame:
    """One line per method, size and params; seeds are taken together. `keys`: params to show.

    Columns label, budget_bytes, `keys`, seeds (how many), "seeds ±" (standard error of nDCG@100
    over seeds; NaN for one seed), then each metric and its standard error over users ("… ±"): of
    users' means over seeds, or, where users are not stored, the mean of the seeds' own errors.
    EXPOSURE where every seed has it.
    """
    groups: dict[str, list[dict]] = {}
    for row in result.rows:
        groups.setdefault(_method(row), []).append(row)
    return pd.DataFrame([_line(result, rows, keys) for rows in groups.values()])


def better(result: Result, ours: dict, theirs: dict, share: float = 1.0, **options) -> Difference:
    """nDCG@100 of `ours` minus `share` times that of `theirs`, by user, with its interval.

    Both select one method each, e.g. {"label": "ELSA"}; a user's seeds are averaged first. With
    `share` below 1 an interval above 0 says that ours loses less than 1 − share. `options` go to
    `difference_by_user`. Raises DataError, StorageError.
    """
    return difference_by_user(users_of(result, ours), share * users_of(result, theirs), **options)


def paired_table(result: Result, label: str) -> pd.DataFrame:
    """`label` minus each other method of the same size in nDCG@100: mean over seeds and users, 95 %
    interval over users, and what it says: better, worse, or n.s. where it includes 0.
    """
    lines = []
    for size in dict.fromkeys(row["budget_bytes"] for row in result.select(label=label)):
        ours = result.by_user(result.select(label=label, budget_bytes=size))
        others = dict.fromkeys(row["label"] for row in result.select(budget_bytes=size))
        for other in (name for name in others if name != label):
            theirs = result.by_user(result.select(label=other, budget_bytes=size))
            found = difference_by_user(ours, theirs)
            lines.append({"bytes per item": size, "compared with": other} | difference_cells(found))
    return pd.DataFrame(lines)


def choices(rows: list[dict]) -> pd.DataFrame:
    """What each grid chose from, and whether it chose at its edge: what lies beyond was not tried.

    Values are nDCG@100 of the validation users.
    """
    return pd.DataFrame([_choice(row) for row in rows if row["trials"]])


def _choice(row: dict) -> dict:
    tried = {
        name: sorted({trial["choice"][name] for trial in row["trials"]})
        for name in row["trials"][0]["choice"]
    }
    values = [trial[METRIC] for trial in row["trials"]]
    ends = [n for n, v in tried.items() if row["params"][n] in (v[0], v[-1])]
    return {
        "method": row["label"],
        "bytes per item": row["budget_bytes"],
        "chosen": ", ".join(f"{name} = {row['params'][name]:g}" for name in tried),
        "from": ", ".join(f"{v[0]:g} to {v[-1]:g} ({len(v)} values)" for v in tried.values()),
        "best": f"{max(values):.4f}",
        "worst": f"{min(values):.4f}",
        "at the edge": ", ".join(ends),
    }


def difference_cells(found: Difference) -> dict[str, str]:
    """A difference in cells of a table; a single user has no interval."""
    interval = "–" if np.isnan(found.low) else f"{found.low:+z.4f} to {found.high:+z.4f}"
    return {
        "difference": f"{found.mean:+z.4f}",
        "95 % interval": interval,
        "result": result_word(found),
    }


def result_word(found: Difference, words: tuple[str, str] = ("better", "worse")) -> str:
    """The first of `words` where the interval lies above 0, the second below, else "n.s."."""
    above, below = words
    return above if found.low > 0 else below if found.high < 0 else "n.s."


def users_of(result: Result, selection: dict) -> np.ndarray:
    """nDCG@100 of each user, mean over the seeds of the one method selected.

    Raises DataError where rows of several methods fit, StorageError where users are not stored.
    """
    rows = result.select(**selection)
    methods = {_method(row) for row in rows}
    if len(methods) > 1:
        raise DataError(f"{selection} fits {len(methods)} methods; name more of their parameters")
    return result.by_user(rows)


def is_stored(result: Result, selection: dict) -> bool:
    """Whether there are rows for a selection, each with its users."""
    rows = result.select(**selection)
    return bool(rows) and _have_users(result, rows)


def _method(row: dict) -> str:
    """What the seeds of one method have in common."""
    return json.dumps([row["label"], row["budget_bytes"], row["params"]], sort_keys=True)


def _have_users(result: Result, rows: list[dict]) -> bool:
    return all(row.get("hash") in result.users for row in rows)


def _line(result: Result, rows: list[dict], keys: tuple[str, ...]) -> dict:
    settings = rows[0].get("resolved", {}) | rows[0]["params"]  # what was filled in, what was given
    line = {
        "label": rows[0]["label"],
        "budget_bytes": rows[0]["budget_bytes"],
        **{key: settings.get(key) for key in keys},
        "seeds": len(rows),
        "seeds ±": standard_error([row["mean"][METRIC] for row in rows]),
    }
    for metric in rows[0]["mean"]:
        line[metric] = float(np.mean([row["mean"][metric] for row in rows]))
        line[f"{metric} ±"] = float(np.mean([row["stderr"][metric] for row in rows]))
    for name in EXPOSURE:
        if all(name in row for row in rows):
            line[name] = float(np.mean([row[name] for row in rows]))
    if _have_users(result, rows):
        line[f"{METRIC} ±"] = standard_error(result.by_user(rows))
    return line
