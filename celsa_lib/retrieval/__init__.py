"""From embeddings or weights to ranked lists."""

from celsa_lib.retrieval.export import FORMATS, check_format, export_rows, split_signs
from celsa_lib.retrieval.packed import PackedRows
from celsa_lib.retrieval.packing import csr_bytes_per_item
from celsa_lib.retrieval.ranking import (
    BATCH_USERS,
    exclude_seen,
    hidden_items,
    recommend_in_batches,
    top_n,
)
from celsa_lib.retrieval.sparse import SparseIndex

__all__ = [
    "BATCH_USERS",
    "FORMATS",
    "PackedRows",
    "SparseIndex",
    "check_format",
    "csr_bytes_per_item",
    "exclude_seen",
    "export_rows",
    "hidden_items",
    "recommend_in_batches",
    "split_signs",
    "top_n",
]
