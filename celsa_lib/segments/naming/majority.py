"""Names that most members bear out: what at least half of a group share, or none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.segments.naming.describer import Label
from celsa_lib.segments.naming.terms import AUTHOR, GENRE, SERIES, WORD, Terms, terms_of
from celsa_lib.segments.naming.tfidf import LONGEST_NAME, MOST_ITEMS, RARE, SOURCE, term_shares

MAJORITY = 0.5  # of the members must share what names them
LEAST_WORDS = 3  # members that must share a word of their titles
LEAST_EACH = 2  # members that each of two authors wrote
NAMED_BY = ((SERIES, AUTHOR), (GENRE,), (WORD,))  # kinds of terms, those that say most first


@dataclass(frozen=True)
class MajorityDescriber:
    """The series, author, genre or title word of the largest share × idf that half of them share.

    Else two authors who wrote half of them between them; else `otherwise`, which `segment_items`
    tells apart by what the groups are around ("Books like Dracula").
    """

    otherwise: str = "Items"

    def describe(self, groups: Sequence[np.ndarray], items: pd.DataFrame) -> list[Label]:
        """See Describer."""
        terms = terms_of(items, most=MOST_ITEMS)
        shares = term_shares(groups, terms)
        return [
            Label(self._name(shares[place], len(group), terms), SOURCE)
            for place, group in enumerate(groups)
        ]

    def _name(self, shares: csr_matrix, size: int, terms: Terms) -> str:
        shared = shares.data >= MAJORITY - 1e-9
        found = shares.indices[shared]
        weight = np.round(shares.data[shared] * terms.idf[found], 9)
        several = shares.data[shared] * size >= LEAST_WORDS - 1e-9
        kinds = terms.kinds[found]
        fits = (kinds == GENRE) | (terms.idf[found] >= RARE) & ((kinds != WORD) | several)
        for wanted in NAMED_BY:
            best = np.flatnonzero(fits & np.isin(kinds, wanted))
            if len(best):
                return min((-weight[place], terms.names[found[place]]) for place in best)[1]
        return _two_authors(shares, size, terms) or self.otherwise


def _two_authors(shares: csr_matrix, size: int, terms: Terms) -> str:
    """The two who wrote most of a group, where that is half of it; "" where it is not."""
    wrote = Counter(
        {
            terms.names[column]: round(share * size)
            for column, share in zip(shares.indices, shares.data, strict=True)
            if terms.kinds[column] == AUTHOR and round(share * size) >= LEAST_EACH
        }
    )
    first = sorted(wrote, key=lambda name: (-wrote[name], name))[:2]
    name = " & ".join(first)
    enough = len(first) == 2 and sum(wrote[author] for author in first) >= MAJORITY * size
    return name if enough and len(name) <= LONGEST_NAME else ""
