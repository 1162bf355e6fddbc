"""From embeddings or weights to ranked lists."""

from celsa_lib.retrieval.export import FORMATS, check_format, export_rows, split_signs
from celsa_lib.retrieval.ranking import exclude_seen, top_n
from celsa_lib.retrieval.sparse import SparseIndex

__all__ = [
    "FORMATS",
    "SparseIndex",
    "check_format",
    "exclude_seen",
    "export_rows",
    "split_signs",
    "top_n",
]
