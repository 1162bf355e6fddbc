"""What pages show: results as tables and figures, live or stored, and the paper's claims.

`stored(name)` and `shown(result)` give an object per result, `claims()` the claims table. No torch.
"""

from celsa_lib.report.anatomy import served_figure
from celsa_lib.report.claims_table import claims
from celsa_lib.report.figures import schedule_curves
from celsa_lib.report.latents import latents_figure, latents_table
from celsa_lib.report.methods import side_by_side
from celsa_lib.report.paper import paper_numbers, paper_table
from celsa_lib.report.segment_study import planted_table
from celsa_lib.report.segments import (
    catalogue,
    group_names,
    home_page,
    recommended_segments,
    segments_table,
    user_figure,
)
from celsa_lib.report.several import differences
from celsa_lib.report.shipped import shipped_sizes
from celsa_lib.report.stored import shown, sources, stored
from celsa_lib.report.tables import Html, human_size, notice, plain_table
from celsa_lib.report.targets import shortfalls, targets_reached

__all__ = [
    "Html",
    "catalogue",
    "claims",
    "differences",
    "group_names",
    "home_page",
    "human_size",
    "latents_figure",
    "latents_table",
    "notice",
    "paper_numbers",
    "paper_table",
    "plain_table",
    "planted_table",
    "recommended_segments",
    "schedule_curves",
    "segments_table",
    "served_figure",
    "shipped_sizes",
    "shortfalls",
    "shown",
    "side_by_side",
    "sources",
    "stored",
    "targets_reached",
    "user_figure",
]
