"""Names without a model: the terms that are common in a group and rare outside it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.segments.naming.describer import Label
from celsa_lib.segments.naming.terms import AUTHOR, DECADE, GENRE, SERIES, WORD, Terms, terms_of

SOURCE = "class-based TF-IDF"
NAMELESS = "Unnamed"  # items of which nothing is known
LONGEST_NAME = 48  # characters
MOST_WORDS = 4  # in a name made of two genres
MOST_ITEMS = 0.5  # a term on more of the catalogue names nothing
SHARE = 0.6  # of a group's members must have a term that stands for all of them
GENRE_SHARE = 1 / 3  # and this share a genre, where there is one
RARE = 1.5  # idf from which a term is proper to few items
ENOUGH = {AUTHOR: 1, SERIES: 1, WORD: 2, DECADE: 2}  # members that must share a proper term


class TfidfDescriber:
    """Class-based TF-IDF: the weight of term t in group G is its share of G times log(n / n_t).

    n_t of the n items of the catalogue have t. A name is the best proper term (series, author,
    word of the titles, decade) that most members share, then the best genre; without a proper
    term the two best genres of a third of the members, the more general one last. It depends on
    a group's members and the catalogue only, not on the other groups.
    """

    def __init__(self):
        self._items, self._terms = None, None

    def describe(self, groups: Sequence[np.ndarray], items: pd.DataFrame) -> list[Label]:
        """See Describer."""
        terms = self._terms_of(items)
        shares = term_shares(groups, terms)
        titles = items["title"].astype(object).fillna("").astype(str).to_numpy()
        return [
            Label(
                _name(shares[index], len(group), terms) or _cut(titles[group[0]]) or NAMELESS,
                SOURCE,
            )
            for index, group in enumerate(groups)
        ]

    def _terms_of(self, items: pd.DataFrame) -> Terms:
        """Terms of the catalogue, kept for the next call: merging names the same one many times."""
        if self._items is not items:
            self._items, self._terms = items, terms_of(items, most=MOST_ITEMS)
        return self._terms


def term_shares(groups: Sequence[np.ndarray], terms: Terms) -> csr_matrix:
    """Share of each group's members that have each term: groups × terms."""
    sizes = np.array([len(group) for group in groups])
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    weights = np.repeat(1 / sizes, sizes)
    shape = len(groups), terms.matrix.shape[0]
    return csr_matrix((weights, np.concatenate(groups), indptr), shape=shape) @ terms.matrix


def _name(shares: csr_matrix, size: int, terms: Terms) -> str:
    """The name of one group from the shares of its terms; "" where it has none."""
    columns, share = shares.indices, shares.data
    weight = share * terms.idf[columns]
    # Falling weight; of equal ones the first by kind and name, whatever the order of the groups.
    order = np.lexsort((columns, -np.round(weight, 9)))
    proper = next(
        (
            terms.names[c]
            for c, s in zip(columns[order], share[order], strict=True)
            if terms.kinds[c] != GENRE
            and s >= SHARE
            and s * size >= ENOUGH[terms.kinds[c]] - 1e-9
            and terms.idf[c] >= RARE
        ),
        None,
    )
    genres = _genres(columns[order], share[order], terms)
    if proper:
        return _cut(_joined([proper, *(terms.names[c] for c in genres[:1])]))
    best = _two_genres(genres, terms)
    return _cut(_joined([terms.names[c] for c in sorted(best, key=lambda c: -terms.idf[c])]))


def _genres(columns: np.ndarray, share: np.ndarray, terms: Terms) -> list[int]:
    """Genres that enough members share, in the given order; else the most frequent one."""
    found = [(c, s) for c, s in zip(columns, share, strict=True) if terms.kinds[c] == GENRE]
    common = [c for c, s in found if s >= GENRE_SHARE]
    return common or [c for c, _ in sorted(found, key=lambda pair: -pair[1])[:1]]


def _two_genres(genres: list[int], terms: Terms) -> list[int]:
    """The best genre, and the next one that adds to it and leaves the name short."""
    if not genres:
        return []
    first = terms.names[genres[0]].split()
    room = MOST_WORDS - len(first)
    for column in genres[1:]:
        words = terms.names[column].split()
        if len(words) <= room and not set(first) & set(words):
            return [genres[0], column]
    return genres[:1]


def _joined(parts: list[str]) -> str:
    """Parts in a row, a word that is there already left out."""
    return " ".join(dict.fromkeys(" ".join(parts).split()))


def _cut(name: str) -> str:
    """At most LONGEST_NAME characters, cut between words."""
    if len(name) <= LONGEST_NAME:
        return name
    return name[: LONGEST_NAME + 1].rsplit(" ", 1)[0][:LONGEST_NAME].rstrip(" ,;:-")
