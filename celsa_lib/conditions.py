"""Items by what is known of them: `year>=1990`, `genres=Drama`, or a title."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from celsa_lib.data import Dataset
from celsa_lib.errors import ConfigError
from celsa_lib.titles import find_title

CONDITION = re.compile(r"\s*(\w+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)
NUMBER_TESTS = {
    ">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less,
    "=": np.equal, "!=": np.not_equal,
}  # fmt: skip


def chosen_items(
    dataset: Dataset, only: Sequence[str] | None, without: Sequence[str] | None
) -> dict[str, np.ndarray]:
    """`among` and `without` of `ItemEmbeddings.recommend`, as positions, where they are given.

    only: conditions that all hold for the items chosen. without: conditions of which none does,
    or titles or ids. Raises ConfigError for a condition that cannot be tested, DataError for a
    title that is not there.
    """
    chosen = {}
    if only:
        holds = [_holds(dataset.items, condition, "--only") for condition in only]
        chosen["among"] = np.flatnonzero(np.all(holds, axis=0))
    if without:
        chosen["without"] = np.concatenate([_named(dataset, one) for one in without])
    return chosen


def _named(dataset: Dataset, text: str) -> np.ndarray:
    """Positions of the items that a condition holds for, or of the one with a title or id."""
    match = CONDITION.fullmatch(text)
    if match and match[1] in dataset.items:
        return np.flatnonzero(_holds(dataset.items, text, "--without"))
    return np.array([find_title(dataset, text)])


def _holds(items: pd.DataFrame, condition: str, option: str) -> np.ndarray:
    """For which items a condition on a column holds; for none whose value is missing."""
    match = CONDITION.fullmatch(condition)
    if not match or match[1] not in items:
        raise ConfigError(
            f'{option} "{condition}" is no condition; write a column, one of '
            f"{', '.join(NUMBER_TESTS)}, and a value, such as year>=1990; the columns are "
            f"{', '.join(map(str, items.columns))}"
        )
    name, sign, value = match.groups()
    column = items[name]
    known = column.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        try:
            number = float(value)
        except ValueError as error:
            raise ConfigError(f'{option} "{condition}": {name} is compared with numbers') from error
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return NUMBER_TESTS[sign](numbers, number) & known
    if sign not in ("=", "!="):
        raise ConfigError(f'{option} "{condition}": {name} is text; ask by = or !=')
    texts = column.astype(object).where(known, "").astype(str).str.casefold()
    wanted = value.casefold()
    is_one = np.array([wanted == text or wanted in text.split("|") for text in texts], dtype=bool)
    return (is_one if sign == "=" else ~is_one) & known
