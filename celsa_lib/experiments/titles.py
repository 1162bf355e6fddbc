"""From titles to recommendations: what a reader tries first."""

import re

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import DataError

SHOWN_MATCHES = 6
YEAR = r"\s*\(\d{4}\)$"


def find_title(dataset: Dataset, title: str) -> int:
    """Column of the item with this title, with or without its year, or of the only one with it.

    Case aside. Raises DataError where no title contains it, or several do and none is equal.
    """
    titles = _titles(dataset).str.casefold()
    wanted = title.casefold().strip()
    bare = titles.str.replace(YEAR, "", regex=True) == re.sub(YEAR, "", wanted)
    for matching in (titles == wanted, bare, titles.str.contains(wanted, regex=False)):
        matches = np.flatnonzero(matching.to_numpy())
        if len(matches) == 1:
            return int(matches[0])
        if len(matches):
            shown = "; ".join(_titles(dataset).iloc[matches[:SHOWN_MATCHES]])
            raise DataError(
                f'{len(matches)} titles fit "{title}": {shown}; write more of the title'
            )
    raise DataError(f'no item of {dataset.name} has "{title}" in its title; try a shorter part')


def history_of(dataset: Dataset, titles: list[str]) -> csr_matrix:
    """Someone who liked `titles`: 1 × items. Raises DataError for a title that is not there."""
    liked = sorted({find_title(dataset, title) for title in titles})
    shape = 1, len(dataset.item_ids)
    return csr_matrix((np.ones(len(liked), np.float32), liked, [0, len(liked)]), shape=shape)


def recommend_by_title(model, dataset: Dataset, titles: list[str], n: int = 10) -> pd.DataFrame:
    """The `n` best items for someone who liked `titles`: columns title, score, best first.

    `model` has items in the order of `dataset`. Raises DataError for a title that is not there.
    """
    return _listed(dataset, *model.recommend(history_of(dataset, titles), n=n, exclude_seen=True))


def similar_to_title(
    embeddings: ItemEmbeddings, dataset: Dataset, title: str, n: int = 10
) -> pd.DataFrame:
    """The `n` items nearest to the one with this title: columns title, score (cosine), best first.

    Rows are in the order of `dataset`. Raises DataError for a title that is not there.
    """
    return _listed(dataset, *embeddings.similar([find_title(dataset, title)], n))


def _listed(dataset: Dataset, indices: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """A ranking of one row as a table of titles and scores."""
    found = indices[0] >= 0
    names = _titles(dataset).iloc[indices[0][found]].to_numpy()
    return pd.DataFrame({"title": names, "score": scores[0][found].round(3)})


def _titles(dataset: Dataset) -> pd.Series:
    """Titles in the order of the columns; an item without one shows its id."""
    if "title" not in dataset.items:
        raise DataError(f"{dataset.name} has no titles; recommend by item id instead")
    titles = dataset.items["title"].reindex(dataset.item_ids)
    return titles.fillna(pd.Series(dataset.item_ids, dataset.item_ids).astype(str))
