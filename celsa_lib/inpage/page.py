"""The trainer as one piece of HTML: data, style and scripts inside, nothing from elsewhere."""

from importlib.resources import files

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset
from celsa_lib.demo import LiveDemo, as_json, packed
from celsa_lib.demo.page import demo_template
from celsa_lib.errors import ConfigError
from celsa_lib.evaluation.metrics import hits, ndcg_at
from celsa_lib.experiments.task import Task
from celsa_lib.inpage.setting import page_numbers

WORKER_SCRIPTS = (
    "random.js", "neighbours.js", "rows.js", "step.js", "train.js", "measure.js", "csv.js",
    "recipe.js", "worker.js",
)  # fmt: skip
OF_DEMO = ("packed.js", "dom.js")
# After those of the demo, in one scope.
TRAINER_SCRIPTS = ("chart.js", "rowview.js", "file.js", "shown.js", "page.js")
CUTOFF_SHOWN = 100


def training_page(data: Dataset, task: Task, seed: int = 0) -> LiveDemo:
    """A page that trains on what learns in `task`, and measures on the first of its folds.

    seed: of the page's random numbers. Raises ConfigError for data that is not synthetic: the page
    holds the histories, and those of people are not passed on.
    """
    if data.truth is None:
        raise ConfigError(
            f"{data.name} has histories of people, and this page would pass them on; take the "
            "synthetic set, and read a file of your own in the page"
        )
    given, target = task.folds[0]
    segments = data.truth.item_segment
    contents = {
        "titles": _titles(data),
        "segments": packed(segments.astype(np.min_scalar_type(segments.max()))),
        "train": packed_histories(task.fit),
        "given": packed_histories(given),
        "target": packed_histories(target),
        "known": round(_ndcg_of_truth(task.fit, given, target, segments), 4),
        "numbers": page_numbers(),
        "seed": seed,
    }
    html = demo_template("train.html.jinja", "celsa_lib.inpage").render(
        contents=as_json(contents),
        style=_asset("celsa_lib.inpage", "train.css"),
        worker=worker_source(),
        scripts=_sources("celsa_lib.demo", OF_DEMO) + _sources("celsa_lib.inpage", TRAINER_SCRIPTS),
        n_users=f"{data.X.shape[0]:,}",
        n_items=f"{data.X.shape[1]:,}",
        n_segments=len(np.unique(segments)),
        numbers=contents["numbers"],
    )
    return LiveDemo(html)


def worker_source() -> str:
    """The script of the worker, in which the page trains."""
    return "\n".join(_sources("celsa_lib.inpage", WORKER_SCRIPTS))


def packed_histories(X: csr_matrix) -> dict:
    """Histories X (users × items) as starts, items and how many items there are."""
    items = X.indices.astype(np.min_scalar_type(X.shape[1] - 1))
    return {
        "starts": packed(X.indptr.astype(np.uint32)),
        "items": packed(items),
        "nItems": X.shape[1],
    }


def _sources(package: str, names: tuple[str, ...]) -> list[str]:
    return [_asset(package, name) for name in names]


def _asset(package: str, name: str) -> str:
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


def _titles(data: Dataset) -> list[str]:
    """The name of an item's segment, and its place there by the popularity it was planted with."""
    place = data.items.groupby("genres").cumcount() + 1
    return [f"{name} {n}" for name, n in zip(data.items["genres"], place, strict=True)]


def _ndcg_of_truth(
    train: csr_matrix, given: csr_matrix, target: csr_matrix, segments: np.ndarray
) -> float:
    """nDCG@100 of someone who knows which segments the items are in, and how popular they are.

    The share of a user's given items in a segment stands for the user's interest in it.
    """
    member = csr_matrix((np.ones(len(segments)), (np.arange(len(segments)), segments)))
    interest = (given @ member).toarray()
    scores = interest[:, segments] * np.diff(train.tocsc().indptr)
    scores[given.nonzero()] = -np.inf
    ranking = np.argsort(-scores, axis=1, kind="stable")[:, :CUTOFF_SHOWN]
    n_targets = np.diff(target.indptr)
    there = n_targets > 0
    found = hits(ranking, target)[there]
    return float(ndcg_at(found, n_targets[there], CUTOFF_SHOWN).mean())
