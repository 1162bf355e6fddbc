"""Tables and figures from results, live or stored. Needs no torch."""

from celsa_lib.report.cost import (
    density_figure,
    growth_figure,
    hardware_share,
    inference_figure,
    inference_table,
    measured_on,
    section,
    step_figure,
    step_ratios,
)
from celsa_lib.report.figures import accuracy_by_size, schedule_curves
from celsa_lib.report.load import PAPER, paper_table, rows_table, with_paper
from celsa_lib.report.pages import choices, side_by_side, stored_figure, stored_results
from celsa_lib.report.style import colour, mark, styled
from celsa_lib.report.tables import (
    Html,
    markdown_table,
    notice,
    plain_table,
    provenance,
    results_table,
)
from celsa_lib.results import load_result

__all__ = [
    "PAPER",
    "Html",
    "accuracy_by_size",
    "choices",
    "colour",
    "density_figure",
    "growth_figure",
    "hardware_share",
    "inference_figure",
    "inference_table",
    "load_result",
    "mark",
    "markdown_table",
    "measured_on",
    "notice",
    "paper_table",
    "plain_table",
    "provenance",
    "results_table",
    "rows_table",
    "schedule_curves",
    "section",
    "side_by_side",
    "step_figure",
    "step_ratios",
    "stored_figure",
    "stored_results",
    "styled",
    "with_paper",
]
