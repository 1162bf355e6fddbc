"""Terms of items: genres, authors, series, words of titles, decades."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data.formats import years_of
from celsa_lib.data.genres import NO_GENRE, SERIES_IN_TITLE, genre_name

# Where a term comes from. A name starts with what is proper to few items (an author, a series, a
# word of the titles, a decade) and ends with what kind of items they are (a genre).
GENRE, AUTHOR, SERIES, WORD, DECADE = "genre", "author", "series", "word", "decade"
STOP_WORDS = frozenset(
    "a an and at by for from her his in into is it my of on or our the their this to with you your "
    "de la le el und der die das vol volume book novel stories story collection complete part "
    "series edition i ii iii iv new item segment".split()
)


@dataclass(frozen=True, eq=False)
class Terms:
    """`matrix` (items × terms, CSR, ones) and the `names` and `kinds` (n_terms,) of its columns."""

    matrix: csr_matrix
    names: np.ndarray
    kinds: np.ndarray

    @cached_property
    def idf(self) -> np.ndarray:
        """log(items / items that have the term), (n_terms,)."""
        return np.log(self.matrix.shape[0] / np.bincount(self.matrix.indices))


def terms_of(items: pd.DataFrame, most: float = 1.0) -> Terms:
    """Every term that at most a share `most` of the items have; columns sorted by name."""
    if "year" in items:
        items = items.assign(year=years_of(items["year"]))
    per_item = [sorted(set(_terms(row))) for row in items.to_dict("records")]
    counts = Counter(term for found in per_item for term in found)
    kept = sorted(t for t, count in counts.items() if count <= most * len(items))
    return _matrix(per_item, kept)


def genres_of(items: pd.DataFrame, least: int = 20, most: float = 0.2) -> Terms:
    """The genres as they are written, on `least` items to a share `most` of them: for measuring."""
    genres = items["genres"] if "genres" in items else [""] * len(items)
    per_item = [[(GENRE, name) for name in set(_genres(value))] for value in genres]
    counts = Counter(term for found in per_item for term in found)
    kept = sorted(t for t, count in counts.items() if least <= count <= most * len(items))
    return _matrix(per_item, kept)


def _matrix(per_item: list[list[tuple[str, str]]], kept: list[tuple[str, str]]) -> Terms:
    column = {term: index for index, term in enumerate(kept)}
    rows = [sorted(column[term] for term in found if term in column) for found in per_item]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    indices = np.array([index for row in rows for index in row], dtype=np.int64)
    matrix = csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(rows), len(kept)))
    names = np.array([name for _, name in kept], dtype=object)
    return Terms(matrix, names, np.array([kind for kind, _ in kept], dtype=object))


def _split(value, by: str = "|") -> list[str]:
    return [part.strip() for part in value.split(by) if part.strip()] if _is_text(value) else []


def _genres(value) -> list[str]:
    return [genre for genre in _split(value) if genre != NO_GENRE]


def _is_text(value) -> bool:
    return isinstance(value, str)


def _terms(row: dict) -> list[tuple[str, str]]:
    title = row.get("title") if _is_text(row.get("title")) else ""
    series = SERIES_IN_TITLE.search(title)
    found = [(GENRE, name) for name in map(genre_name, _genres(row.get("genres"))) if name]
    found += [(AUTHOR, name) for name in _split(row.get("authors"), ",")[:1]]
    if series:
        found.append(
            (SERIES, re.sub(r"^The\s+", "", series["series"].rstrip().removesuffix(",").strip()))
        )
    found += [(WORD, word) for word in _words(SERIES_IN_TITLE.sub("", title))]
    year = row.get("year")
    if year is not None and not pd.isna(year) and year >= 1800:
        found.append((DECADE, f"{year // 10 * 10}s"))
    return found


def _words(title: str) -> list[str]:
    words = re.findall(r"[^\W\d_]{3,}", title)
    return [word.capitalize() for word in words if word.lower() not in STOP_WORDS]
