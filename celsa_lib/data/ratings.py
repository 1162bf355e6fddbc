"""Ratings: a column of numbers that can be ratings; what must be times or ids is refused."""

import numpy as np
import pandas as pd

from celsa_lib.data.formats import numbers
from celsa_lib.errors import DataError

LARGEST_RATING = 10**6  # a day since 1970, in seconds, is more by far
# Of so many whole numbers two are alike, whatever they rate or count: seconds of plays too.
MANY_IDS, SOME_IDS = 10_000, 100
CROWDED = 4  # what SOME_IDS and more are picked from, in multiples of them


def ratings_of(values: pd.Series, where: str, before: int = 0) -> np.ndarray:
    """A column of ratings as float64. Raises DataError for one of dates, times in seconds, or ids.

    Ids, row numbers among them: whole numbers of which no two are alike. before: rows of `where`
    that stand before these.
    """
    of = pd.api.types
    kind = getattr(values.dtype, "categories", values).dtype
    if of.is_bool_dtype(kind) or not (
        of.is_numeric_dtype(kind) or of.is_object_dtype(kind) or of.is_string_dtype(kind)
    ):
        raise DataError(f"{where}, column {values.name!r} has {values.dtype}, not ratings")
    ratings = numbers(values, lambda row: f"{where}, data row {before + row + 1}")
    if len(ratings) and ratings.min() > LARGEST_RATING:
        raise DataError(
            f"{where}, column {values.name!r}: every value is above {LARGEST_RATING:,}, the first "
            f"{ratings[0]:.0f}; these look like times, not ratings: name the column of ratings"
        )
    if _are_ids(ratings):
        raise DataError(
            f"{where}, column {values.name!r}: no two of {len(ratings):,} whole numbers are alike; "
            "these look like ids or row numbers, not ratings: name the column of ratings"
        )
    return ratings


def _are_ids(values: np.ndarray) -> bool:
    """Whether no two are alike of numbers that are many, or crowded, and whole."""
    n = len(values)
    if n < SOME_IDS or (n < MANY_IDS and np.ptp(values) >= CROWDED * n) or (values % 1 != 0).any():
        return False
    return len(pd.unique(values)) == n
