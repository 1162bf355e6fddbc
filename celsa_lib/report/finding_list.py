"""What this book finds beyond the paper's claims: comparisons of stored results, each as checks.

They are kept beside the claims, so that pages take their words from them (`report.findings`).
"""

from functools import partial

from celsa_lib.evaluation import Difference
from celsa_lib.report.claim_list import Checks, Claim
from celsa_lib.report.data_size import compared_data_sizes
from celsa_lib.report.findings import in_bytes
from celsa_lib.report.pages import choices
from celsa_lib.report.rules import OURS, better_at, schedules, seconds_saved
from celsa_lib.report.verdicts import Check, compared, counted
from celsa_lib.results import GRADUAL, Result

THINNED = {"test users, thinned": "thinned histories"}  # a part of a check has no comma


def data_sizes(result: Result, what: str) -> list[Check]:
    """Compressed ELSA − pruned EASE by training set, group of users and size.

    `what`: "difference", or "change" of it against learning from everything.
    """
    lines = compared_data_sizes(result).replace({"tested on": THINNED})
    return [
        _interval(
            f"trained on {line['trained on']}, tested on {line['tested on']}, "
            f"{line['budget_bytes']:,} B",
            *(line[name] for name in (what, f"{what} low", f"{what} high")),
        )
        for line in lines.to_dict("records")
    ]


def deviations(result: Result) -> list[Check]:
    """nDCG@100 with a deviation of the released code − without it."""
    return [
        _interval(f"{row['deviation'].replace(',', '')}, {row['model']}",
                  row["difference"], row["low"], row["high"])
        for row in result.rows
    ]  # fmt: skip


def rounded(result: Result) -> list[Check]:
    """nDCG@100 with products rounded to bfloat16 − without, by data set and seed."""
    return [
        _interval(f"{row['dataset']}, seed {row['seed']}", row["mean"], row["low"], row["high"])
        for row in result.rows
    ]


def coherence(result: Result, ours: str, theirs: str) -> list[Check]:
    """Coherence of one grouping − that of another, between their intervals over groups."""
    rows = {
        (row["space"], row["measure"], row["grouping"]): row
        for row in result.rows
        if row.get("section") == "groupings" and "low" in row
    }
    checks = []
    for space, measure, grouping in rows:
        if grouping == ours and (space, measure, theirs) in rows:
            one, other = rows[space, measure, ours], rows[space, measure, theirs]
            ends = one["low"] - other["high"], one["high"] - other["low"]
            checks.append(_interval(f"{space}, {measure}", one["value"] - other["value"], *ends))
    return checks


def released(result: Result) -> list[Check]:
    """The rows that the authors released − Compressed ELSA of the same size."""
    rows = result.select(label="Released embeddings")
    return [better_at(result, row["label"], OURS, row["budget_bytes"]) for row in rows]


def grid_ends(result: Result) -> list[Check]:
    """What was chosen at an end of its grid, so that something better may lie beyond."""
    chosen = choices(result.select(seed=result.manifest["config"]["seeds"][0]))
    at_end = chosen[chosen["at an end"] != ""].groupby(["method", "at an end"], sort=False)
    told = [
        f"{method} ({name.replace('_', ' ')}) at {in_bytes(list(lines['bytes per item']))}"
        for (method, name), lines in at_end
    ]
    return [counted(what, holds=False) for what in told] or [counted("none", holds=True)]


def quicker(
    result: Result, ours: tuple[str, object], theirs: tuple[str, object], section: str = "step"
) -> list[Check]:
    """Seconds of rows where a column has one value − where it has another, by nonzeros."""
    rows = [row for row in result.rows if row.get("section") == section]
    mine, others = (
        {row["nnz"]: _with_ends(row) for row in rows if row[column] == value}
        for column, value in (ours, theirs)
    )
    return [seconds_saved(f"{k:,} nonzeros", mine[k], others[k]) for k in mine if k in others]


def _with_ends(row: dict) -> dict:
    """A row of a benchmark with low and high, which some call fastest and slowest."""
    return {"low": row.get("fastest"), "high": row.get("slowest")} | row


def _interval(what: str, mean: float, low: float, high: float) -> Check:
    return compared(what, Difference(mean, low, high))


def _finding(name: str, stored: str, checks: Checks, ours: str, theirs: str, **about) -> Claim:
    return Claim(id=name, statement=f"{ours}, {theirs}", section="this book", data=stored,
                 stored=(stored,), checks=checks, pair=(ours, theirs), **about)  # fmt: skip


def _of(data: str) -> list[Claim]:
    """Findings of the smaller studies of one data set."""
    two = (OURS, "pruned EASE")
    waiting = partial(schedules, ours=GRADUAL[:2], theirs=GRADUAL[2], restart=False)
    return [
        *(
            _finding(f"data-size/{what}/{data}", f"{data}-data-size",
                     partial(data_sizes, what=what), *two, notebook="data_size")
            for what in ("difference", "change")
        ),
        _finding(f"deviations/{data}", f"{data}-deviations", deviations, "the deviation",
                 "nDCG@100", notebook="deviations"),
        _finding(f"every-epoch-going-on/{data}", f"{data}-schedules", waiting,
                 "without restarts, pruning after every epoch", "step-wise pruning",
                 notebook="schedules"),
    ]  # fmt: skip


FINDINGS = (
    *_of("goodbooks"),
    *_of("ml-100k"),
    *(
        _finding(f"grid-ends/{data}", data, grid_ends, "choices at an end", "", notebook="table_1")
        for data in ("goodbooks-10k-partial", "ml-100k", "synthetic")
    ),
    *(
        _finding(name, stored, partial(quicker, ours=(column, mine), theirs=(column, other),
                                       section=section),
                 ours, theirs, notebook="training_cost", computed="seconds, between quartiles")
        for name, stored, column, mine, other, section, ours, theirs in (
            ("step", "training-cost", "contender", "celsa", "masked dense torch", "step",
             "a k-sparse step", "a masked dense one"),
            ("gpu-step", "gpu-cost", "contender", "celsa float32", "torch TF32", "step",
             "a k-sparse step on a GPU", "the paper's formula with TF32"),
            ("width-growth", "training-cost", "width", 1024, 16384, "growth width",
             "a step at width 1,024", "one at width 16,384"),
        )
    ),
    _finding("bfloat16", "bfloat16", rounded, "bfloat16", "nDCG@100", notebook="training_cost"),
    *(
        _finding(name, "segments", partial(coherence, ours=mine, theirs=other), ours, theirs,
                 notebook="interpretability", computed="coherence, between 95 % intervals")
        for name, mine, other, ours, theirs in (
            ("k-means", "raw groups", "k-means, as many as raw groups", "grouping by latents",
             "k-means on dense ELSA"),
            ("merged-by-names", "segments", "raw groups", "a merge by names", "raw groups"),
            ("merged-by-activation", "merged by activation", "raw groups",
             "a merge by activation", "raw groups"),
        )
    ),
    _finding("released", "goodbooks-10k-partial", released, "the authors' released model", OURS,
             notebook="goodbooks"),
)  # fmt: skip
