"""What this book finds beyond the paper's claims: comparisons of stored results, each as checks.

They are kept beside the claims, so that pages take their words from them (`report.findings`).
"""

from functools import partial

from celsa_lib.evaluation import Difference
from celsa_lib.models.registry import DENSE, OURS, RECOMMENDED, SAE, by_label
from celsa_lib.report.claim_list import Checks, Claim
from celsa_lib.report.data_size import compared_data_sizes
from celsa_lib.report.findings import listed_sizes, slug
from celsa_lib.report.real_bytes import at_equal_bytes
from celsa_lib.report.rules import (
    better_at,
    check_of,
    measured,
    schedules_against,
    seconds_saved,
)
from celsa_lib.report.statistics import choices, is_stored
from celsa_lib.report.verdicts import Check, compared, counted
from celsa_lib.results import BUDGETS, GRADUAL, Result

WITHOUT_COMMA = {"test users, thinned": "thinned histories"}  # a part of a check has no comma


def data_sizes(result: Result, what: str) -> list[Check]:
    """Compressed ELSA − pruned EASE by training set, group of users and size.

    `what`: "difference", or "change" of it against learning from everything.
    """
    lines = compared_data_sizes(result).replace({"tested on": WITHOUT_COMMA})
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


def bfloat16_differences(result: Result) -> list[Check]:
    """nDCG@100 with products bfloat16_differences to bfloat16 − without, by data set and seed."""
    return [
        _interval(f"{row['dataset']}, seed {row['seed']}", row["mean"], row["low"], row["high"])
        for row in result.rows
    ]


def coherence(result: Result, ours: str, theirs: str, recommended: bool = False) -> list[Check]:
    """Coherence of one grouping − that of another, between their intervals over groups.

    Either of the recommended setting or of all other embeddings.
    """
    rows = {
        (row["space"], row["measure"], row["grouping"]): row
        for row in result.rows
        if row.get("section") == "groupings" and "low" in row
        if (row["space"] == RECOMMENDED) == recommended
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


def recommended_against(result: Result, label: str) -> list[Check]:
    """The recommended setting − the method `label` at each size of Table 1, and below where both
    are.
    """
    checks = []
    for size in sorted({row["budget_bytes"] for row in result.select(label=RECOMMENDED)}):
        theirs = {"label": label} | at_size(label, size)
        if size in BUDGETS or is_stored(result, theirs):
            ours = {"label": RECOMMENDED, "budget_bytes": size}
            checks.append(check_of(result, f"{size:,} B", ours, theirs))
    return checks


def at_half(result: Result, label: str) -> list[Check]:
    """The recommended setting at 32 bytes − the method `label` at 64."""
    ours, theirs = (
        {"label": RECOMMENDED, "budget_bytes": 32},
        {"label": label, "budget_bytes": 64},
    )
    return [check_of(result, f"{label} at twice its size", ours, theirs)]


def at_size(label: str, size: int) -> dict[str, int]:
    """What selects a method's rows of a size; nothing for one that has a single size."""
    return {"budget_bytes": size} if by_label(label).compressed else {}


def grid_ends(result: Result) -> list[Check]:
    """What was chosen at an end of its grid, so that something better may lie beyond."""
    chosen = choices(result.select(seed=result.manifest["config"]["seeds"][0]))
    at_end = chosen[chosen["at an end"] != ""].groupby(["method", "at an end"], sort=False)
    ends = [
        f"{method} ({name.replace('_', ' ')}) at {listed_sizes(list(lines['bytes per item']))}"
        for (method, name), lines in at_end
    ]
    return [counted(what, holds=False) for what in ends] or [counted("none", holds=True)]


def quicker(result: Result, section: str, column: str, ours, theirs) -> list[Check]:
    """Seconds of a benchmark's rows where a column says `theirs` − `ours`, by nonzeros."""
    rows = [row for row in result.rows if row.get("section") == section]
    mine, others = (
        {row["nnz"]: _with_ends(row) for row in rows if row[column] == value}
        for value in (ours, theirs)
    )
    return [seconds_saved(f"{k:,} nonzeros", mine[k], others[k]) for k in mine if k in others]


def _with_ends(row: dict) -> dict:
    """A row of a benchmark with low and high, which some call fastest and slowest."""
    return {"low": row.get("fastest"), "high": row.get("slowest")} | row


def _interval(what: str, mean: float, low: float, high: float) -> Check:
    return compared(what, Difference(mean, low, high))


def _finding(page: str, stored: str, name: str, checks: Checks, ours: str, theirs: str) -> Claim:
    return Claim(id=name, statement=f"{ours}, {theirs}", section="this book", notebook=page,
                 data=stored, stored=(stored,), checks=checks, pair=(ours, theirs))  # fmt: skip


def _of(data: str) -> list[Claim]:
    """Findings of the smaller studies of one data set."""
    sizes = [
        _finding("data_size", f"{data}-data-size", f"data-size/{what}/{data}",
                 partial(data_sizes, what=what), OURS, "pruned EASE")
        for what in ("difference", "change")
    ]  # fmt: skip
    waiting = partial(schedules_against, ours=GRADUAL[:2], theirs=GRADUAL[2], restart=False)
    return [
        *sizes,
        _finding("deviations", f"{data}-deviations", f"deviations/{data}", deviations,
                 "the deviation", "nDCG@100"),
        _finding("schedules", f"{data}-schedules", f"every-epoch-going-on/{data}", waiting,
                 "without restarts, pruning after every epoch", "step-wise pruning"),
    ]  # fmt: skip


def _recommended(data: str, stored: str, left_out: str = "") -> list[Claim]:
    """The recommended setting beside every other method of its study, all but one `left_out`."""
    beside = {label: theirs for label, theirs in BESIDE.items() if label != left_out}
    return [
        _finding("recommended", stored, f"recommended/{data}/{slug(label)}",
                 partial(recommended_against, label=label), "the recommended setting", theirs)
        for label, theirs in beside.items()
    ] + [
        _finding("recommended", stored, f"recommended-at-half/{data}/{slug(label)}",
                 partial(at_half, label=label), "the recommended setting at 32 bytes",
                 f"{theirs} at 64")
        for label, theirs in beside.items() if by_label(label).compressed
    ]  # fmt: skip


def _beside_their_package(data: str) -> Claim:
    """The recommended setting beside the package of the paper's authors, at the sizes of both."""
    return _finding("recommended", f"{data}-compresso", f"recommended/{data}/{slug(THEIR_PACKAGE)}",
                    partial(recommended_against, label=THEIR_PACKAGE), "the recommended setting",
                    "the package of the paper's authors")  # fmt: skip


def _real_bytes(data: str) -> list[Claim]:
    """The recommended setting in a packed file beside other methods, at as many bytes."""
    return [
        _finding("recommended", f"{data}-bytes", f"bytes/{data}/{slug(label)}",
                 partial(at_equal_bytes, label=label), "the recommended setting at 4 bits", told)
        for label, told in PACKED_BESIDE.items()
    ]  # fmt: skip


THEIR_PACKAGE = "compresso-recsys"
TABLES = ("goodbooks-10k-partial", "ml-100k", "synthetic")
SYNTHETIC = ("synthetic-800", "synthetic-3500", "synthetic-10000")  # without the autoencoder
BESIDE = {  # and as prose says it
    OURS: "the paper's procedure",
    "Pruned EASE": "pruned EASE",
    "Low-dim ELSA": "low-dimensional ELSA",
    "Low-dim ELSA, regularised": "low-dimensional ELSA with the same regularisation",
    SAE: "ELSA + SAE",
    "EASE, one threshold": "EASE pruned by one threshold",
    "EASE, threshold, refitted": "EASE pruned by one threshold and refitted",
    "Pruned EDLAE": "pruned EDLAE",
    "EDLAE, one threshold": "EDLAE pruned by one threshold",
    "EDLAE, threshold, refitted": "EDLAE pruned by one threshold and refitted",
    "Sparse MRF": "a sparse Markov random field",
    "EASE": "whole EASE",
    "EDLAE": "whole EDLAE",
    DENSE: "dense ELSA",
}
PACKED_BESIDE = {
    OURS: "the paper's procedure at 4 bits",
    SAE: "ELSA + SAE at 4 bits",
    DENSE: "dense ELSA at 4 bits",
    "Low-dim ELSA, regularised": "low-dimensional ELSA at 4 bits with the same regularisation",
    "Pruned EASE": "pruned EASE at 4 bits",
    "EASE, threshold, refitted": "refitted EASE at 4 bits",
    "EDLAE, threshold, refitted": "refitted EDLAE at 4 bits",
    "Sparse MRF": "a sparse Markov random field at 4 bits",
    "EASE": "whole EASE",
    "EDLAE": "whole EDLAE",
}
COST, MEANING = "training_cost", "interpretability"  # pages


def _segments(prefix: str, groups: str, recommended: bool) -> list[Claim]:
    """Raw groups beside as many of k-means, and merges beside raw groups."""
    compared = (
        ("k-means", "raw groups", "k-means, as many as raw groups", groups,
         "k-means on dense ELSA"),
        ("merged-by-names", "merged by names", "raw groups", "a merge by names", "raw groups"),
        ("merged-by-activation", "merged by activation", "raw groups", "a merge by activation",
         "raw groups"),
    )  # fmt: skip
    return [
        _finding(MEANING, "segments", f"{prefix}{name}",
                 partial(coherence, ours=one, theirs=other, recommended=recommended), *pair)
        for name, one, other, *pair in compared
    ]  # fmt: skip


FINDINGS = (
    *_of("goodbooks"),
    *_of("ml-100k"),
    *_recommended("goodbooks", TABLES[0]),
    *_recommended("ml-100k", TABLES[1]),
    *_recommended("synthetic", TABLES[2]),
    *(one for name in SYNTHETIC for one in _recommended(name, name, left_out=SAE)),
    _beside_their_package("ml-100k"),
    _beside_their_package("goodbooks"),
    *_real_bytes("ml-100k"),
    *_real_bytes("goodbooks"),
    *(_finding("table_1", data, f"grid-ends/{data}", grid_ends, "", "") for data in TABLES),
    _finding("goodbooks", TABLES[0], "released", released, "the authors' released model", OURS),
    _finding(COST, "bfloat16", "bfloat16", bfloat16_differences, "bfloat16", "nDCG@100"),
    _finding(COST, "training-cost", "step",
             partial(quicker, section="step", column="contender", ours="celsa",
                     theirs="masked dense torch"),
             "a k-sparse step", "a masked dense one"),
    _finding(COST, "gpu-cost", "gpu-step",
             partial(quicker, section="step", column="contender", ours="celsa float32",
                     theirs="torch TF32"),
             "a k-sparse step on a GPU", "the paper's formula with TF32"),
    _finding(COST, "training-cost", "width-growth",
             partial(quicker, section="growth width", column="width", ours=1024, theirs=16384),
             "a step at width 1,024", "one at width 16,384"),
    *_segments("", "grouping by latents", recommended=False),
    *_segments("exemplars/", "grouping around exemplars", recommended=True),
    *(_finding(MEANING, "segments", f"exemplars/{section}",
               partial(measured, section=section, recommended=True), ours, "chance")
      for section, ours in (("coherence", "grouping around exemplars"),
                            ("reach", "recommended segments"))),
)  # fmt: skip
