"""From embeddings or weights to ranked lists."""

from celsa_lib.retrieval.ranking import exclude_seen, top_n

__all__ = ["exclude_seen", "top_n"]
