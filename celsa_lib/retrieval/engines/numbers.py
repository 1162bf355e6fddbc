"""Numbers of rows by the ids of their items, in as little memory as the ids take."""

from collections.abc import Iterable

import numpy as np


class RowNumbers:
    """Looks up ids, texts or numbers, in sorted order."""

    def __init__(self, item_ids: np.ndarray):
        """item_ids: distinct, in the order of the rows."""
        self._is_text = item_ids.dtype.kind not in "iufb"
        self._ids = item_ids.astype(str) if item_ids.dtype.kind in "OS" else item_ids
        self._order = np.argsort(self._ids, kind="stable")

    def of(self, ids: Iterable) -> np.ndarray:
        """The number of the row of each id (int64), −1 where there is none."""
        asked = ids if isinstance(ids, np.ndarray) else list(ids)
        found = np.full(len(asked), -1)
        if not len(found) or not len(self._ids):
            return found
        if not isinstance(asked, np.ndarray) or asked.dtype == object:
            # An array would make a text of a number that stands beside one.
            fits = np.array([np.isscalar(one) and isinstance(one, str) == self._is_text
                             for one in asked])  # fmt: skip
            asked = np.asarray([one for one, fit in zip(asked, fits, strict=True) if fit])
        else:
            fits = np.full(len(asked), (asked.dtype.kind in "US") == self._is_text)
            asked = asked[fits]
        if len(asked):
            found[fits] = self._places(asked)
        return found

    def _places(self, asked: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self._ids, asked, sorter=self._order)
        numbers = self._order[np.minimum(places, len(self._order) - 1)]
        return np.where(self._ids[numbers] == asked, numbers, -1)
