"""From embeddings or weights to ranked lists."""

from celsa_lib.retrieval.ranking import exclude_seen, top_n
from celsa_lib.retrieval.sparse import SparseIndex

__all__ = ["SparseIndex", "exclude_seen", "top_n"]
