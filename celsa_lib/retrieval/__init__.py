"""From embeddings or weights to ranked lists."""

from celsa_lib.retrieval.export import FORMATS, check_format, export_rows, split_signs
from celsa_lib.retrieval.packed import PackedRows, csr_bytes_per_item, write_packed
from celsa_lib.retrieval.ranking import exclude_seen, top_n
from celsa_lib.retrieval.sparse import SparseIndex

__all__ = [
    "FORMATS",
    "PackedRows",
    "SparseIndex",
    "check_format",
    "csr_bytes_per_item",
    "exclude_seen",
    "export_rows",
    "split_signs",
    "top_n",
    "write_packed",
]
