"""Segments of items from sparse latents: grouping, naming, merging, recommending."""

from celsa_lib.segments.build import TAU, segment_items
from celsa_lib.segments.cache import AnswerCache
from celsa_lib.segments.chat import ChatDescriber
from celsa_lib.segments.grouping import Groups, dominant_latents, group_items
from celsa_lib.segments.labels import Describer, Label
from celsa_lib.segments.merging import merge_by_activation, merge_by_name
from celsa_lib.segments.replay import ReplayDescriber
from celsa_lib.segments.segmentation import Segmentation, segment_matrix
from celsa_lib.segments.sentences import SentenceEmbedder
from celsa_lib.segments.table import item_table, write_csv
from celsa_lib.segments.tfidf import TfidfDescriber

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
    "item_table",
    "merge_by_activation",
    "merge_by_name",
    "segment_items",
    "segment_matrix",
    "write_csv",
]
