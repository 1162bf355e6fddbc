"""Segments as the demo needs them (Section 2, interpretable segments)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Segments of one model: a label and the positions of the members of each.

    `matrix` is B, segments × width: ±1 at a segment's signed latents, rows of unit ℓ2 norm.
    """

    labels: list[str]
    members: list[np.ndarray]
    matrix: csr_matrix


def by_dominant_latent(embeddings: ItemEmbeddings, items: pd.DataFrame) -> Segmentation:
    """A segment for each signed latent that is the largest of some item, named by its genre.

    Of equal values the one with the lowest index counts. The name is the most frequent genre.
    """
    matrix = embeddings.matrix
    filled = np.flatnonzero(np.diff(matrix.indptr))
    places = [_largest(matrix.data, *matrix.indptr[row : row + 2]) for row in filled]
    latents, signs = matrix.indices[places], np.sign(matrix.data[places]).astype(np.float32)
    found, group = np.unique(np.column_stack((latents, -signs)), axis=0, return_inverse=True)
    members = [filled[group.ravel() == g] for g in range(len(found))]
    entries = (-found[:, 1].astype(np.float32), (np.arange(len(found)), found[:, 0].astype(int)))
    return Segmentation(
        labels=[_commonest_genre(items, rows) for rows in members],
        members=members,
        matrix=csr_matrix(entries, shape=(len(found), matrix.shape[1])),
    )


def _largest(values: np.ndarray, start: int, stop: int) -> int:
    """Place of the largest |value| from `start` on, the first of equals."""
    return start + int(np.abs(values[start:stop]).argmax())


def _commonest_genre(items: pd.DataFrame, rows: np.ndarray) -> str:
    if "genres" not in items:
        return "Unnamed"
    genres = items["genres"].fillna("").iloc[rows].str.split("|")
    counts = Counter(genre for names in genres for genre in names if genre)
    return counts.most_common(1)[0][0] if counts else "Unnamed"
