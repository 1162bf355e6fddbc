"""What each deviation of the released code from the paper changes."""

from typing import ClassVar

import pandas as pd

from celsa_lib.evaluation import Difference
from celsa_lib.report.base import Parts, Report
from celsa_lib.report.statistics import result_word
from celsa_lib.report.tables import Html, difference_cell
from celsa_lib.results import Result

CAPTION = "nDCG@100, mean ± standard error over users"
LABELS = {"Released": "Released embeddings"}  # models that are rows of deviations


def deviations_table(result: Result) -> pd.DataFrame:
    """Each deviation: the difference by user (interval), nDCG@100 with and without."""
    return pd.DataFrame(
        {
            "what": row["deviation"],
            "model": LABELS.get(row["model"], row["model"]),
            "difference": difference_cell(row["difference"], row["low"], row["high"]),
            "nDCG@100 is": result_word(_difference(row), ("higher", "lower")),
            "ours": f"{row['default']:.4f} ± {row['stderr']:.4f}",
            "as released": f"{row['as released']:.4f}",
        }
        for row in result.rows
    )


def _difference(row: dict) -> Difference:
    return Difference(row["difference"], row["low"], row["high"])


class DeviationsReport(Report):
    """A study of deviations."""

    TABLES: ClassVar[Parts] = {"deviations": deviations_table}

    def values(self) -> pd.DataFrame:
        """nDCG@100 without the deviation, to two digits: what a rerun must give again."""
        lines = pd.DataFrame(self.result.rows)[["deviation", "model", "default"]]
        return lines.round({"default": 2})

    def table(self, part: str = "", caption: str = CAPTION) -> Html:
        """Each deviation and what it changes, by user."""
        return super().table(part, caption)
