"""The demo of the books that come with the library, and how much of the lists its segments hold."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.demo.page import LEAST_UNSEEN, SHOWN_SEGMENTS, DemoModel, LiveDemo, demo_page
from celsa_lib.demo.personas import book_personas
from celsa_lib.models.registry import RECOMMENDED
from celsa_lib.segments import in_shown_segments, segment_books
from celsa_lib.shipped import ShippedRows, goodbooks_rows

LISTED = 10  # items of a list


def books_demo(books: ShippedRows | None = None) -> LiveDemo:
    """The demo of the rows that come with the library, as they lie in their files."""
    books = books or goodbooks_rows()
    models = [
        DemoModel(
            RECOMMENDED,
            books.unpacked[nnz],
            books.record(nnz)["ndcg@100"],
            segment_books(books, nnz),
            packed,
        )
        for nnz, packed in books.packed.items()
    ]
    return demo_page(books.name, books.items, books.chosen, models, book_personas(books.items))


def personas_in_segments(books: ShippedRows, nnz: int | None = None) -> pd.DataFrame:
    """For each persona of the demo how many of the LISTED best books are in the segments shown.

    Columns persona, liked (titles), in shown segments. nnz: of the rows, the most by default.
    """
    segmentation, rows = segment_books(books, nnz), []
    for persona in book_personas(books.items):
        ones = np.ones(len(persona.items), np.float32)
        places = np.zeros(len(ones), int), persona.items
        x = csr_matrix((ones, places), shape=(1, len(books.items)))
        held = in_shown_segments(segmentation, x, SHOWN_SEGMENTS, LISTED, LEAST_UNSEEN)
        liked = "; ".join(books.items["title"].iloc[persona.items])
        rows.append({"persona": persona.name, "liked": liked, "in shown segments": held})
    return pd.DataFrame(rows)
