"""What a describer is: groups of items in, a name for each out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Label:
    """A segment's name and who gave it ("class-based TF-IDF", the name of a language model, …)."""

    text: str
    source: str


class Describer(Protocol):
    """Names groups of items by their metadata."""

    def describe(self, groups: Sequence[np.ndarray], items: pd.DataFrame) -> list[Label]:
        """A label for each group of positions in `items`.

        `items` has `title`, and `year`, `genres` ('|'-joined), `authors` and `description` where
        they are known.
        """
