"""What each deviation of the released code from the paper changes."""

import pandas as pd

from celsa_lib.report.base import Report
from celsa_lib.report.tables import Html, difference_cell
from celsa_lib.results import Result

LABELS = {"Released": "Released embeddings"}  # models that are rows of deviations


def deviations_table(result: Result) -> pd.DataFrame:
    """Each deviation: the difference by user (interval), nDCG@100 with and without."""
    return pd.DataFrame(
        {
            "what": row["deviation"],
            "model": LABELS.get(row["model"], row["model"]),
            "difference": difference_cell(row["difference"], row["low"], row["high"]),
            "clear": "yes" if row["low"] > 0 or row["high"] < 0 else "no",
            "ours": f"{row['default']:.4f} ± {row['stderr']:.4f}",
            "as released": f"{row['as released']:.4f}",
        }
        for row in result.rows
    )


class DeviationsReport(Report):
    """A study of deviations."""

    def frame(self) -> pd.DataFrame:
        """deviation, model and nDCG@100 as usual, `default`, to two digits: a rerun gives these."""
        lines = pd.DataFrame(self.result.rows)[["deviation", "model", "default"]]
        return lines.round({"default": 2})

    def table(self) -> Html:
        """Each deviation and what it changes, by user."""
        caption = "nDCG@100, mean ± standard error over users"
        return self.captioned(deviations_table(self.result), caption)
