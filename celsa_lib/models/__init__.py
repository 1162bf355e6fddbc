"""The paper's model and its baselines, behind one protocol (`Recommender`)."""

from celsa_lib.models.base import EmbeddingRecommender, Recommender
from celsa_lib.models.compressed import CompressedELSA
from celsa_lib.models.ease import EASE, PrunedEASE
from celsa_lib.models.elsa import ELSA
from celsa_lib.models.popularity import Popularity
from celsa_lib.models.sae import SparseAutoencoderELSA
from celsa_lib.models.schedules import SCHEDULES, make_schedule

__all__ = [
    "EASE",
    "ELSA",
    "SCHEDULES",
    "CompressedELSA",
    "EmbeddingRecommender",
    "Popularity",
    "PrunedEASE",
    "Recommender",
    "SparseAutoencoderELSA",
    "make_schedule",
]
