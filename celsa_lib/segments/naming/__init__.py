"""Names of segments: a `Describer` by class-based TF-IDF, by a language model, or by replay."""

from celsa_lib.segments.naming.answers import AnswerCache
from celsa_lib.segments.naming.chat import ChatDescriber
from celsa_lib.segments.naming.describer import Describer, Label
from celsa_lib.segments.naming.majority import MajorityDescriber
from celsa_lib.segments.naming.replay import ReplayDescriber
from celsa_lib.segments.naming.tfidf import TfidfDescriber

__all__ = [
    "AnswerCache",
    "ChatDescriber",
    "Describer",
    "Label",
    "MajorityDescriber",
    "ReplayDescriber",
    "TfidfDescriber",
]
