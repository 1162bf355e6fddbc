"""The rows that come with the library: what they take, and what test users found in their lists."""

import pandas as pd

from celsa_lib.report.comparison import human_size


def shipped_sizes(books) -> pd.DataFrame:
    """A line for each of the sizes of `ShippedRows`: nonzeros, bytes, accuracy on test users."""
    rows = []
    for nnz, packed in books.packed.items():
        record = books.record(nnz)
        rows.append(
            {
                "nonzeros per book, on average": nnz,
                "bytes per book": round(packed.bytes_per_item, 1),
                "all books": human_size(packed.bytes_per_item * len(books.items)),
                "nDCG@100": f"{record['ndcg@100']:.3f} ± {record['stderr']:.3f}",
                "trained by": record["run"],
                "on": record["machine"]["cpu"],
            }
        )
    return pd.DataFrame(rows)
