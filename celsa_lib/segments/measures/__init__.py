"""Measures of segments: coherence, agreement, stability, alignment with users, and baselines."""

from celsa_lib.segments.measures.agreement import agreement, main_term, stability
from celsa_lib.segments.measures.alignment import alignment
from celsa_lib.segments.measures.baselines import kmeans_groups, random_groups
from celsa_lib.segments.measures.coherence import (
    GroupScores,
    genre_jaccard,
    genre_npmi,
    vector_cosine,
)

__all__ = [
    "GroupScores",
    "agreement",
    "alignment",
    "genre_jaccard",
    "genre_npmi",
    "kmeans_groups",
    "main_term",
    "random_groups",
    "stability",
    "vector_cosine",
]
