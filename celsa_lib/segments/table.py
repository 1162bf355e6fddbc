"""Segments as a table with a row an item, for spreadsheets."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.files import write_whole
from celsa_lib.segments.segmentation import Segmentation

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet may run when a cell begins so


def item_table(segmentation: Segmentation) -> pd.DataFrame:
    """Columns segment, label, source (who named it), item_id, title; the largest segment first."""
    order = np.argsort(segmentation.of_item, kind="stable")
    segments = segmentation.of_item[order]
    labels = [segmentation.labels[segment] for segment in segments]
    return pd.DataFrame(
        {
            "segment": segments,
            "label": [label.text for label in labels],
            "source": [label.source for label in labels],
            "item_id": segmentation.embeddings.item_ids[order],
            "title": segmentation.titles[order],
        }
    )


def write_csv(segmentation: Segmentation, path: str | Path) -> Path:
    """Write `item_table` as CSV in UTF-8, whole or not at all. Raises StorageError.

    Text is quoted, and has a ' before it where a spreadsheet would take it for a formula.
    """
    table = item_table(segmentation).map(_harmless)
    text = table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    return write_whole(path, lambda file: file.write(text.encode()))


def _harmless(cell):
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
