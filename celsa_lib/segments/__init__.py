"""Segments of items from sparse latents: grouping, naming, merging, recommending."""

from celsa_lib.segments.grouping import Groups, dominant_latents, group_items
from celsa_lib.segments.merging import merge_by_activation, merge_by_name
from celsa_lib.segments.naming import (
    AnswerCache,
    ChatDescriber,
    Describer,
    Label,
    ReplayDescriber,
    TfidfDescriber,
)
from celsa_lib.segments.pipeline import TAU, segment_items
from celsa_lib.segments.segmentation import Segmentation, segment_matrix
from celsa_lib.segments.sentences import SentenceEmbedder

__all__ = [
    "TAU",
    "AnswerCache",
    "ChatDescriber",
    "Describer",
    "Groups",
    "Label",
    "ReplayDescriber",
    "Segmentation",
    "SentenceEmbedder",
    "TfidfDescriber",
    "dominant_latents",
    "group_items",
    "merge_by_activation",
    "merge_by_name",
    "segment_items",
    "segment_matrix",
]
