"""The figure of latents in use after each epoch: a table that the book's script makes movable."""

import json
from html import escape

import pandas as pd

from celsa_lib.report.tables import Html, plain_table


def latents_figure(runs: list[dict]) -> Html:
    """Two or more runs of as many epochs each (`experiments.latents_in_use`), side by side.

    book/_static/figures.js draws it; where that is not there, the table is what a reader sees.
    """
    data = json.dumps(runs).replace("<", "\\u003c")
    name = escape("Latents in use after each epoch: " + ", ".join(r["schedule"] for r in runs))
    return Html(
        f'<div class="celsa-interactive" data-figure="latents" role="group" aria-label="{name}">'
        f'<script type="application/json">{data}</script>'
        f"<details open><summary>All epochs in numbers</summary>{plain_table(latents_table(runs))}"
        "</details></div>"
    )


def latents_table(runs: list[dict]) -> pd.DataFrame:
    """A line per epoch: nonzeros per item (k) and latents in use, under each schedule."""
    columns = {"epoch": range(1, len(runs[0]["nnz"]) + 1)}
    for run in runs:
        columns[f"{run['schedule']} k"] = run["nnz"]
        columns[f"{run['schedule']}, in use"] = [used.count("1") for used in run["used"]]
    return pd.DataFrame(columns)
