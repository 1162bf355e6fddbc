"""Tables and figures from results, live or stored. Needs no torch."""

from celsa_lib.report.claim_list import CLAIMS, Claim
from celsa_lib.report.claims import (
    Entry,
    best_by_size,
    claims_figure,
    claims_table,
    ledger,
    verdict_counts,
    write_ledger,
)
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
from celsa_lib.report.load import PAPER, paper_numbers, paper_table, rows_table, with_paper
from celsa_lib.report.pages import (
    beside_paper,
    choices,
    side_by_side,
    stored_figure,
    stored_in,
    stored_results,
)
from celsa_lib.report.statistics import better, standard_error, summary
from celsa_lib.report.style import colour, mark, styled
from celsa_lib.report.tables import (
    Html,
    markdown_table,
    notice,
    plain_table,
    provenance,
    results_table,
)
from celsa_lib.report.verdicts import Check, Verdict
from celsa_lib.results import load_result

__all__ = [
    "CLAIMS",
    "PAPER",
    "Check",
    "Claim",
    "Entry",
    "Html",
    "Verdict",
    "accuracy_by_size",
    "beside_paper",
    "best_by_size",
    "better",
    "choices",
    "claims_figure",
    "claims_table",
    "colour",
    "density_figure",
    "growth_figure",
    "hardware_share",
    "inference_figure",
    "inference_table",
    "ledger",
    "load_result",
    "mark",
    "markdown_table",
    "measured_on",
    "notice",
    "paper_numbers",
    "paper_table",
    "plain_table",
    "provenance",
    "results_table",
    "rows_table",
    "schedule_curves",
    "section",
    "side_by_side",
    "standard_error",
    "step_figure",
    "step_ratios",
    "stored_figure",
    "stored_in",
    "stored_results",
    "styled",
    "summary",
    "verdict_counts",
    "with_paper",
    "write_ledger",
]
