"""Last epochs that see values as a packed file has them, beside rounding afterwards."""

import pandas as pd

from celsa_lib.evaluation import Difference
from celsa_lib.report.statistics import difference_cells
from celsa_lib.report.verdicts import Check, compared
from celsa_lib.results import Result


def rounded_table(result: Result) -> pd.DataFrame:
    """nDCG@100 of packed rows, rounded afterwards and in the last epochs, and the difference."""
    return pd.DataFrame(
        {
            "data": row["dataset"],
            "bytes per item": row["budget_bytes"],
            "bits": row["bits"],
            "nDCG@100, not packed": f"{row['unpacked']:.4f}",
            "packed": f"{row['usual']:.4f}",
            "last epochs rounded": row["epochs"],
            "packed after these": f"{row['rounded']:.4f}",
            **difference_cells(_gain(row)),
        }
        for row in result.rows
    )


def rounded_gains(result: Result, bits: int) -> list[Check]:
    """nDCG@100 of packed rows with rounded last epochs − without, by data, size and epochs."""
    return [
        compared(
            f"{row['dataset']}, {row['budget_bytes']} B, last {row['epochs']} epochs", _gain(row)
        )
        for row in result.rows
        if row["bits"] == bits
    ]


def _gain(row: dict) -> Difference:
    return Difference(row["mean"], row["low"], row["high"])
