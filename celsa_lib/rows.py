"""The rows of stored results: what each kind of study says of one thing that it measured.

Rows are plain dictionaries, in memory as in JSON. These are their keys and types, by which a file
is checked when it is read. `run` is the id of the run that computed a row; `digest` goes over the
row and its users' values.
"""

from typing import Any, NotRequired

from typing_extensions import TypedDict

Params = dict[str, Any]


class Row(TypedDict):
    """What every row has once it is stored."""

    run: str
    digest: str


# A model: one method at one size with one seed, and nDCG@100 and recall on test users. `params`
# are those that it was fitted with, `grid` what they were chosen from, and `trials` what validation
# users said of each choice. coverage@50, rare recall@50: see `evaluation.exposure`. `path`: what a
# training of several budgets shares. `history`: (k, latents in use, loss) of each epoch. precision,
# backend: as resolved. `resolved`: the parameters with what a recipe has filled in. `held_bytes`:
# what rows take that could not fill `budget_bytes`.
MethodRow = TypedDict(
    "MethodRow",
    {
        "run": str,
        "digest": str,
        "hash": str,
        "method": str,
        "label": str,
        "budget_bytes": int,
        "held_bytes": NotRequired[int],
        "params": Params,
        "seed": int,
        "mean": dict[str, float],
        "stderr": dict[str, float],
        "coverage@50": NotRequired[float],
        "rare recall@50": NotRequired[float],
        "seconds": float,
        "seconds_fit": float,
        "seconds_evaluate": float,
        "grid": NotRequired[dict[str, list]],
        "trials": NotRequired[list[dict]],
        "path": NotRequired[dict],
        "history": NotRequired[list[list]],
        "precision": NotRequired[str],
        "backend": NotRequired[str],
        "resolved": NotRequired[Params],
    },
)


class BytesRow(MethodRow):
    """A model in a form that it is stored in, and what an item really takes in it.

    `budget_bytes` is Table 1's count. `model`: the hash of the row of the model as it was fitted,
    which has what is known of its training. seconds_fit: of another form, those of storing.
    """

    form: str
    bytes_per_item: float
    model: NotRequired[str]


# Keys with spaces, as tables show them. A model, the users that it learned from and those tested.
DataSizeRow = TypedDict(
    "DataSizeRow",
    {
        "run": str,
        "digest": str,
        "hash": str,
        "method": str,
        "budget_bytes": int,
        "params": Params,
        "seed": int,
        "trained on": str,
        "users": int,
        "interactions": int,
        "steps": int,
        "tested on": str,
        "test users": int,
        "ndcg@100": float,
        "stderr": float,
        "trials": list[dict],
        "seconds": float,
        "precision": NotRequired[str],
        "backend": NotRequired[str],
    },
)

# One deviation of the released code: nDCG@100 without and with it, and the paired difference.
DeviationRow = TypedDict(
    "DeviationRow",
    {
        "run": str,
        "digest": str,
        "deviation": str,
        "model": str,
        "default": float,
        "as released": float,
        "stderr": float,
        "difference": float,
        "low": float,
        "high": float,
        "precision": NotRequired[str],
    },
)


class SectionRow(Row):
    """A row of a study of segments or of a benchmark: `section` says what else it has.

    The most usual: a `value`, `mean` or time in `seconds` with its interval, `low` to `high`, of
    `what` or of which `contender`.
    """

    section: str
    what: NotRequired[str]
    contender: NotRequired[str]
    value: NotRequired[float]
    mean: NotRequired[float]
    low: NotRequired[float]
    high: NotRequired[float]
