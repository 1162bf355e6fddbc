"""From titles to recommendations: what a reader tries first."""

import re
import unicodedata
from difflib import get_close_matches

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset
from celsa_lib.errors import DataError

SHOWN_MATCHES, SHOWN_USERS, SHOWN_GUESSES = 6, 3, 3
LONGEST_GUESS = 80  # letters of a title for which the nearest ones are looked up
ARTICLE = re.compile(r"^(?:the|a|an) |, (?:the|a|an)$")


def find_title(dataset: Dataset, title: str) -> int:
    """Column of the item with this title or, where no title is it, with this id.

    Else of the only one that has it without case, accents, article and year, or that contains it.
    Raises DataError where there is none, or there are several: then with their ids.
    """
    titles, ids = _titles(dataset), pd.Series(dataset.item_ids).astype(str)
    wanted, shown_title = title.strip(), title[:LONGEST_GUESS]
    bare, bare_wanted = titles.map(_bare), _bare(wanted)
    for matching in (
        titles == wanted,
        ids == wanted,
        bare == bare_wanted,
        bare.str.contains(bare_wanted, regex=False) & bool(bare_wanted),
    ):
        matches = np.flatnonzero(matching.to_numpy())
        if len(matches) == 1:
            return int(matches[0])
        if len(matches):
            named = zip(titles.iloc[matches[:SHOWN_MATCHES]], ids.iloc[matches], strict=False)
            shown = "; ".join(f"{one} (id {of})" for one, of in named)
            raise DataError(
                f'{len(matches)} titles fit "{shown_title}": {shown}; write more of the title, or '
                "an id"
            )
    near = _nearest(bare, bare_wanted) if len(wanted) <= LONGEST_GUESS else []
    meant = " or ".join(f'"{titles.iloc[place]}" (id {ids.iloc[place]})' for place in near)
    advice = f"did you mean {meant}?" if near else "try a part of it"
    raise DataError(f'no item of {dataset.name} has "{shown_title}" in its title; {advice}')


def _nearest(bare: pd.Series, wanted: str) -> list[int]:
    """Places of the titles that are most like `wanted`, the nearest first; none if none is."""
    short = bare[bare.str.len() <= 2 * LONGEST_GUESS].drop_duplicates()
    near = get_close_matches(wanted, short, SHOWN_GUESSES)
    return [int(np.flatnonzero((bare == title).to_numpy())[0]) for title in near]


def _bare(title: str) -> str:
    """A title without case, accents, the article at its beginning or end, and its year."""
    letters = (c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))
    text = " ".join("".join(letters).casefold().split())
    return ARTICLE.sub("", re.sub(r"\([0-9]{4}\)$", "", text).rstrip())


def history_of(dataset: Dataset, titles: list[str]) -> csr_matrix:
    """Someone who liked `titles`: 1 × items. Raises DataError for a title that is not there."""
    liked = sorted({find_title(dataset, title) for title in titles})
    shape = 1, len(dataset.item_ids)
    return csr_matrix((np.ones(len(liked), np.float32), liked, [0, len(liked)]), shape=shape)


def recommend_by_title(model, dataset: Dataset, titles: list[str], n: int = 10) -> pd.DataFrame:
    """The `n` best items for someone who liked `titles`: columns title, score, best first.

    `model` has items in the order of `dataset`. Raises DataError for a title that is not there.
    """
    return recommended(model, dataset, history_of(dataset, titles), n)


def history_of_user(dataset: Dataset, user_id: str) -> csr_matrix:
    """What a user of the data chose: 1 × items. Raises DataError for a user who is not there."""
    ids = dataset.user_ids.astype(str)
    found = np.flatnonzero(ids == user_id)
    if not len(found):
        raise DataError(
            f"{dataset.name} has no user {user_id[:LONGEST_GUESS]}; its users begin "
            f"{', '.join(ids[:SHOWN_USERS])}, …, and those with few interactions are left out"
        )
    return dataset.X[found[:1]]


def recommended(
    model, dataset: Dataset, history: csr_matrix, n: int = 10, **chosen
) -> pd.DataFrame:
    """The `n` best items for `history` (1 × items): columns title, score, best first.

    chosen: among, without, as `ItemEmbeddings.recommend` takes them.
    """
    return _listed(dataset, *model.recommend(history, n=n, exclude_seen=True, **chosen))


def similar_to_title(
    embeddings, dataset: Dataset, title: str, n: int = 10, **chosen
) -> pd.DataFrame:
    """The `n` items nearest to the one with this title: columns title, score (cosine), best first.

    embeddings: `ItemEmbeddings`, or what has their `similar`, with rows in the order of `dataset`;
    chosen: among, without, as it takes them. Raises DataError for a title that is not there.
    """
    return _listed(dataset, *embeddings.similar([find_title(dataset, title)], n, **chosen))


def _listed(dataset: Dataset, indices: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """A ranking of one row as a table of titles and scores."""
    found = indices[0] >= 0
    names = _titles(dataset).iloc[indices[0][found]].to_numpy()
    return pd.DataFrame({"title": names, "score": scores[0][found].round(3)})


def _titles(dataset: Dataset) -> pd.Series:
    """Titles as text in the order of the columns; an item without one shows its id."""
    if "title" not in dataset.items:
        raise DataError(f"{dataset.name} has no titles; recommend by item id instead")
    titles = dataset.items["title"].astype(object).reindex(dataset.item_ids)
    return titles.fillna(pd.Series(dataset.item_ids, dataset.item_ids).astype(str)).astype(str)
