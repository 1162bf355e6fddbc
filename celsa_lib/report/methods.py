"""Methods side by side: by size, by user, beside the paper's numbers, and in variants."""

from html import escape
from statistics import fmean
from typing import ClassVar

import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.errors import ConfigError
from celsa_lib.models.registry import OURS
from celsa_lib.report.ablations import Variants
from celsa_lib.report.base import Absent, Parts, Report, absent
from celsa_lib.report.budgets import advice, models_of, reference_of, shares_table
from celsa_lib.report.figures import accuracy_by_size
from celsa_lib.report.findings import listed_sizes
from celsa_lib.report.paper import name_in_paper, paper_table, with_demo, with_paper
from celsa_lib.report.paper_grid import paper_grid
from celsa_lib.report.rule import chosen_table, start_table
from celsa_lib.report.statistics import EXPOSURE, choices, paired_table, summary
from celsa_lib.report.tables import Html, plain_table, results_table, typeset
from celsa_lib.results import Result, fit_seconds

COMPARED_SETTINGS = ("width", "epochs", "learning_rate")  # what has to be alike in what is compared
BESIDE_COLUMNS = (
    "label", "schedule", "restart", *COMPARED_SETTINGS, "budget_bytes", "paper ndcg@100",
    "demo ndcg@100", "ndcg@100", "ndcg@100 ±", "seeds ±", "minus paper", *EXPOSURE,
)  # fmt: skip


def by_size(result: Result, *keys: str) -> pd.DataFrame:
    """A line per method and size, seeds taken together, largest first; `keys`: params."""
    lines = summary(result, *keys)
    return lines.sort_values(["budget_bytes", "ndcg@100"], ascending=[False, False])


class MethodsReport(Report):
    """A study whose rows are models: Table 1, and ablations through `variants`."""

    TABLES: ClassVar[Parts] = {"methods": by_size}

    @property
    def _data(self) -> str:
        return self.result.manifest["data"]["name"]

    def table(self) -> Html:
        """Methods by size; with the paper's numbers where they are of the very same data."""
        lines = with_paper(self.frame(), self._data)
        return results_table(lines, self.result.manifest, self.result.is_live)

    def figure(self) -> Figure:
        """nDCG@100 against size, the paper's as hollow marks where they are of the same data."""
        return accuracy_by_size(self.frame(), self.title, paper_table(self._data))

    def values(self) -> pd.DataFrame:
        """nDCG@100 to two digits: what a rerun must give again."""
        lines = self.frame()[["label", "budget_bytes", "ndcg@100"]]
        return lines.round(2).reset_index(drop=True)

    def pairs(self, label: str = OURS) -> Html:
        """The method `label` minus each other one of its size, by user."""
        return self.captioned(paired_table(self.result, label))

    def seconds(self) -> Html:
        """Seconds of training by method and size, of a fit on average over seeds; those of all its
        sizes together where they are trained on one path.
        """
        lines = [
            {
                "method": label,
                "bytes per item": size,
                "seconds": f"{fmean(map(fit_seconds, rows)):,.0f}",
                "of sizes": listed_sizes(_trained_with(rows[0])),
            }
            for (label, size), rows in models_of(self.result).items()
        ]
        return self.captioned(pd.DataFrame(lines), "seconds of training")

    def choices(self) -> Html:
        """What each method chose from on validation users, folded."""
        seed = self.result.manifest["config"]["seeds"][0]
        lines = self.captioned(choices(self.result.select(seed=seed)))
        return Html(f"<details><summary>All choices</summary>{lines}</details>")

    def beside_paper(self) -> Html:
        """Table 1 as the paper prints it, ours and the paper's by a switch; every line, folded.

        Of a part of the paper's data too, where no line has ours minus the paper's.
        """
        lines = with_paper(by_size(self.result, *COMPARED_SETTINGS), name_in_paper(self._data))
        if name_in_paper(self._data) != self._data:
            lines = lines.drop(columns="minus paper", errors="ignore")
        every = f"<summary>All methods and settings</summary>{self._beside(lines)}"
        return Html(f"{paper_grid(self._data, lines)}<details>{every}</details>")

    def beside_demo(self, *keys: str) -> Html:
        """The numbers of the authors' demo beside ours; `keys`: what varies.

        "schedule" and "restart", or "width". Raises ConfigError for others.
        """
        if set(keys) not in ({"schedule", "restart"}, {"width"}):
            raise ConfigError(
                f'the authors\' demo varies "schedule" and "restart", or "width", not {list(keys)}'
            )
        lines = by_size(self.result, *keys, *COMPARED_SETTINGS)
        return self._beside(with_demo(lines, name_in_paper(self._data)))

    def _beside(self, lines: pd.DataFrame) -> Html:
        """The columns BESIDE_COLUMNS; without the method where there is only one."""
        hidden = ["label"] if lines["label"].nunique() == 1 else []
        columns = [name for name in lines if name in BESIDE_COLUMNS and name not in hidden]
        return results_table(lines[columns], self.result.manifest, self.result.is_live)

    def shares(self) -> Html:
        """What each size of each method keeps of the best uncompressed model's accuracy."""
        reference = reference_of(self.result)
        if reference is None:
            return absent(self.result.path, "shares of an uncompressed model's accuracy")
        name, size = reference
        caption = f"keeps: share of the nDCG@100 of {name}, {size:,} bytes per item"
        return self.captioned(shares_table(self.result), caption)

    def advice(self) -> Html:
        """Which size of Compressed ELSA is enough, in sentences."""
        return Html(f"<p>{typeset(escape(' '.join(advice(self.result))))}</p>")

    def beside_choices(self) -> Html:
        """The recommended setting's rule minus what validation users choose, a number at a time."""
        caption = "numbers by the rule beside those that validation users choose, one at a time"
        return self.captioned(chosen_table(self.result), caption)

    def beside_starts(self) -> Html:
        """The recommended setting minus the same started from other neighbourhoods, by user."""
        return self.captioned(start_table(self.result), "starts by neighbourhoods")

    def variants(self, by: str) -> Variants:
        """Compressed ELSA in variants: by "schedule", "restart", "width", "part" or "support"."""
        return Variants(self, by)


def _trained_with(row: dict) -> list[int]:
    """Bytes per item of the sizes that a row's seconds of training are for."""
    return [8 * nnz for nnz in row["path"]["budgets"]] if "path" in row else [row["budget_bytes"]]


class AbsentMethods(Absent):
    """Stands for a Table 1 that is not here: the paper's numbers are, wherever it has some."""

    def __init__(self, name: str, why: Html):
        super().__init__(why)
        self.name = name

    def beside_paper(self) -> Html:
        """The paper's numbers alone, and that there are none of ours."""
        return Html(self.why + paper_grid(self.name))


def side_by_side(liked: list[str], **lists: pd.DataFrame) -> Html:
    """Recommendations of several models next to each other; `lists` have a column title."""
    titles = pd.DataFrame({name: table["title"] for name, table in lists.items()})
    titles.index = pd.RangeIndex(1, len(titles) + 1, name="rank")
    return Html(f"<p>Liked: {escape('; '.join(liked))}</p>{plain_table(titles.reset_index())}")
