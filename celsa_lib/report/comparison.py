"""A study as one HTML page that needs no other file and no network."""

import json
from base64 import b64encode
from io import BytesIO

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from celsa_lib.evaluation import standard_error
from celsa_lib.models.ease import ease_fits
from celsa_lib.report.budgets import (
    TARGET,
    Share,
    advice,
    enough,
    models_of,
    ours_in,
    percent,
    reference_of,
    shares_of,
)
from celsa_lib.report.figures import accuracy_by_size
from celsa_lib.report.statistics import choices, paired_table
from celsa_lib.report.style import styled
from celsa_lib.report.tables import best_rows, human_size, runs_note
from celsa_lib.results import Result, fit_seconds

COLUMNS = {"user": "user", "item": "item", "value": "rating", "time": "time"}


def comparison_page(result: Result) -> str:
    """The page of a study, everything in it escaped. Raises StorageError, DataError."""
    manifest = result.manifest
    reference, shares = reference_of(result), shares_of(result)
    models = model_table(result)
    first = [row for row in result.rows if row["seed"] == manifest["config"]["seeds"][0]]
    return _template().render(
        name=manifest["data"]["name"],
        run=manifest["runs"][result.run],
        config=json.dumps(manifest["config"], indent=1, ensure_ascii=False),
        data=data_facts(manifest),
        protocol=protocol(manifest, len(next(iter(result.users.values())))),
        origin=origin_facts(manifest),
        advice=advice(result),
        target=percent(TARGET, 0),
        figure=svg_uri(_narrow(accuracy_by_size(models))),
        results=results_lines(models, shares, manifest["data"]["items"]),
        reference=reference[0] if reference else None,
        enough=enough_lines(shares),
        ours=ours_in(result),
        paired=paired_table(result, ours_in(result)).to_dict("records"),
        choices=choices(first).to_dict("records"),
        without_ease=not ease_fits(
            manifest["data"]["items"], manifest["runs"][result.run]["machine"]["memory_gib"]
        ),
        there=len(result.rows),
        wanted=models_wanted(manifest["config"]),
        is_smoke=manifest["config"]["profile"] == "smoke",
        one_seed=len(manifest["config"]["seeds"]) == 1,
    )


def model_table(result: Result) -> pd.DataFrame:
    """One line per model, over its seeds: label, budget_bytes, ndcg@100, "ndcg@100 ±", seconds.

    The standard error is over users. Seconds are of one seed's fit, on average.
    """
    lines = []
    for (label, size), rows in models_of(result).items():
        users = result.by_user(rows)
        lines.append(
            {
                "label": label,
                "budget_bytes": size,
                "ndcg@100": users.mean(),
                "ndcg@100 ±": standard_error(users),
                "seconds": np.mean([fit_seconds(row) for row in rows]),
            }
        )
    table = pd.DataFrame(lines)
    return table.sort_values(["budget_bytes", "ndcg@100"], ascending=False, ignore_index=True)


def models_wanted(config: dict) -> int:
    """How many models a study has when it is finished: one of each method at each seed."""
    return len(config["methods"]) * len(config["seeds"])


def results_lines(models: pd.DataFrame, shares: list[Share], n_items: int) -> list[dict]:
    """The table of results, formatted: best of its size marked, share of the reference given."""
    kept = {(share.label, share.size): percent_cells(share) for share in shares}
    best = best_rows(models)
    return [
        {
            "method": row.label,
            "bytes": f"{row.budget_bytes:,}",
            "model": human_size(row.budget_bytes * n_items),
            "ndcg": f"{row.ndcg:.4f} ± {row.error:.4f}",
            "best": place in best,
            "share": kept.get((row.label, row.budget_bytes), ("–", "–")),
            "seconds": f"{row.seconds:,.2f}" if row.seconds < 10 else f"{row.seconds:,.0f}",
        }
        for place, row in enumerate(
            models.rename(columns={"ndcg@100": "ndcg", "ndcg@100 ±": "error"}).itertuples()
        )
    ]


def enough_lines(shares: list[Share]) -> list[dict]:
    """The smallest sizes that keep the target, a line per method, formatted."""

    def size(share: Share | None) -> str:
        return f"{share.size:,}" if share else "none"

    return [
        {
            "method": found.label,
            "measured": size(found.measured),
            "share": percent_cells(found.measured) if found.measured else ("–", "–"),
            "surely": size(found.surely),
            "best": f"{percent(found.best.ratio.value)} at {found.best.size:,} B",
        }
        for found in enough(shares)
    ]


def percent_cells(share: Share) -> tuple[str, str]:
    """A share and its interval, for two cells."""
    ratio = share.ratio
    return percent(ratio.value), f"{percent(ratio.low)} to {percent(ratio.high)}"


def data_facts(manifest: dict) -> dict[str, str]:
    """What data: name, sizes, how the file was read, checksum."""
    data, options = manifest["data"], manifest["config"]["data_params"]
    density = data["interactions"] / (data["users"] * data["items"])
    columns = [f"{what}: {options[key]}" for key, what in COLUMNS.items() if options.get(key)]
    least = options.get("min_rating")
    return {
        "file": data["name"],
        "users": f"{data['users']:,}",
        "items": f"{data['items']:,}",
        "interactions": f"{data['interactions']:,}",
        "density": f"{percent(density, 2)} of all user-item pairs",
        "columns": ", ".join(columns) or "the defaults",
        "what counts": "every row" if least is None else f"rows with a rating of {least:g} or more",
        "left out": f"users with fewer than {options.get('min_user_interactions', 5)} such rows",
        "SHA-256": data["checksum"],
    }


def protocol(manifest: dict, n_users: int) -> list[str]:
    """Paragraphs that say which split was used, and what it changes. `n_users`: test users with a
    target.
    """
    config = manifest["config"]
    if "by_time" in manifest:
        return _by_time(config, manifest["by_time"], n_users)
    return [
        f"Split by users: {config['n_test']:,} were set aside for the test before anything was "
        f"trained, and {config['n_val']:,} others to choose learning rates and regularisation on. "
        "Each reported model learns from all users but those of the test. The history of a test "
        f"user is divided {config['n_folds']} times into {percent(1 - config['fraction'], 0)} that "
        f"the model sees and {percent(config['fraction'], 0)} that it must find among the first "
        f"100 of its ranking; nDCG@100 is the mean over {n_users:,} users, ± one standard error.",
        "When things took place was not regarded: what is to be found may be older than what the "
        "model has seen. Where the file has a column of times, --time COLUMN lets models learn "
        "from before a date and tests them on what came after.",
    ]


def _by_time(config: dict, moments: dict, n_users: int) -> list[str]:
    """`protocol` of a split by time."""
    start, chosen = moments["test_from"], moments.get("chosen_from")
    unknown = percent(moments["targets_of_new_items"] / moments["targets"])
    choosing = (
        f" Learning rates and regularisation were chosen in the same way within the time before: "
        f"{config['n_val']:,} other users, and what they chose from {chosen} on."
    )
    return [
        f"Split by time: models learn from what was chosen before {start}, and are tested on what "
        f"came then and later. {config['n_test']:,} users who chose something both before and "
        "after were set aside for the test, and no model learns from them. It sees what such a "
        "user chose before, and must find what that user chose from then on among the first 100 of "
        f"its ranking; nDCG@100 is the mean over {n_users:,} users, ± one standard error."
        + (choosing if chosen else ""),
        "What that changes: the question is that of a system in use, which knows the past and is "
        f"asked for what comes. {unknown} of the {moments['targets']:,} interactions to be found "
        "are with items that nobody in training had chosen yet, which no method here can rank by "
        "merit. One date gives one division, not five, and users who came later or left before are "
        "not tested. So these numbers do not compare with those of a split by users (without "
        "--time).",
    ]


def origin_facts(manifest: dict) -> dict[str, str]:
    """Where the numbers are from: every run, versions, seeds, profile."""
    config, run = manifest["config"], list(manifest["runs"].values())[-1]
    versions = (f"{name} {version}" for name, version in run["versions"].items())
    return {
        "runs": runs_note(manifest),
        "versions": ", ".join(versions),
        "seeds": f"split {config['split_seed']}, folds {config['fold_seed']}, training "
        f"{', '.join(map(str, config['seeds']))}",
        "profile": config["profile"],
        "time": f"{manifest['seconds']:,.0f} s for the reported models, without the choosing",
    }


def svg_uri(figure: Figure) -> str:
    """A figure as a data: URI; the same figure gives the same text."""
    buffer = BytesIO()
    with styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode()}"


def _narrow(figure: Figure) -> Figure:
    """As narrow as a telephone shows it in readable letters."""
    figure.set_size_inches(5.2, 4.8)
    return figure


def _template():
    environment = Environment(
        loader=PackageLoader("celsa_lib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("comparison.html.jinja")
