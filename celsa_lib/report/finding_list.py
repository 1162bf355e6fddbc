"""What this book finds beyond the paper's claims: comparisons of stored results, each as checks.

They are kept beside the claims, so that pages take their words from them (`report.findings`).
"""

from functools import partial

from celsa_lib.evaluation import Difference
from celsa_lib.models.registry import OURS, RECOMMENDED
from celsa_lib.report.claim import Claim
from celsa_lib.report.claim_list import BY_USER, OF_SEGMENTS
from celsa_lib.report.data_size import WITHOUT_COMMA, compared_data_sizes
from celsa_lib.report.findings import listed_sizes
from celsa_lib.report.recommended_findings import ABOUT_RECOMMENDED, TABLES, finding_of
from celsa_lib.report.rules import better_at, measured, schedules_against, seconds_saved
from celsa_lib.report.statistics import choices
from celsa_lib.report.verdicts import Check, compared, counted
from celsa_lib.results import GRADUAL, Result


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


def grid_ends(result: Result) -> list[Check]:
    """What was chosen at the edge of its grid, so that something better may lie beyond."""
    chosen = choices(result.select(seed=result.manifest["config"]["seeds"][0]))
    at_end = chosen[chosen["at the edge"] != ""].groupby(["method", "at the edge"], sort=False)
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


def _of(data: str) -> list[Claim]:
    """Findings of the smaller studies of one data set."""
    sizes = [
        finding_of("data_size", f"{data}-data-size", f"data-size/{what}/{data}",
                 partial(data_sizes, what=what), OURS, "pruned EASE", computed)
        for what, computed in (
            ("difference", BY_USER),
            ("change", f"{BY_USER}; less the same after learning from everything"),
        )
    ]  # fmt: skip
    waiting = partial(schedules_against, ours=GRADUAL[:2], theirs=GRADUAL[2], restart=False)
    return [
        *sizes,
        finding_of("deviations", f"{data}-deviations", f"deviations/{data}", deviations,
                 "the deviation", "nDCG@100", f"with − without the deviation: {BY_USER}"),
        finding_of("schedules", f"{data}-schedules", f"every-epoch-going-on/{data}", waiting,
                 "without restarts, pruning after every epoch", "step-wise pruning"),
    ]  # fmt: skip


SECONDS = "seconds: the other's − ours, between the ends of their intervals over rounds"
AT_ENDS = "which choices of validation users stand at the edge of their grid"
COHERENT = "coherence of groups: ours − the other's, between their 95 % intervals over groups"
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
        finding_of(MEANING, "segments", f"{prefix}{name}",
                 partial(coherence, ours=one, theirs=other, recommended=recommended), *pair,
                 COHERENT)
        for name, one, other, *pair in compared
    ]  # fmt: skip


FINDINGS = (
    *_of("goodbooks"),
    *_of("ml-100k"),
    *ABOUT_RECOMMENDED,
    *(finding_of("table_1", data, f"grid-ends/{data}", grid_ends, "", "", AT_ENDS)
      for data in TABLES),
    finding_of("goodbooks", TABLES[0], "released", released, "the authors' released model", OURS),
    finding_of(COST, "bfloat16", "bfloat16", bfloat16_differences, "bfloat16", "nDCG@100",
               f"with − without rounded products: {BY_USER}"),
    finding_of(COST, "training-cost", "step",
             partial(quicker, section="step", column="contender", ours="celsa",
                     theirs="masked dense torch"),
             "a k-sparse step", "a masked dense one", SECONDS),
    *(finding_of(COST, "gpu-cost", name,
               partial(quicker, section="step", column="contender", ours=f"celsa {precision}",
                       theirs=f"torch {beside}"),
               ours, f"the paper's formula in {beside}", SECONDS)
      for name, precision, beside, ours in (
          ("gpu-step", "float32", "float32", "a step on a GPU in float32"),
          ("gpu-step/tf32", "TF32", "TF32", "a step on a GPU in TF32"),
          ("gpu-step/beside-tf32", "float32", "TF32", "a step on a GPU in float32"))),
    finding_of(COST, "training-cost", "width-growth",
             partial(quicker, section="growth width", column="width", ours=1024, theirs=16384),
             "a step at width 1,024", "one at width 16,384", SECONDS),
    *_segments("", "grouping by latents", recommended=False),
    *_segments("exemplars/", "grouping around exemplars", recommended=True),
    *(finding_of(MEANING, "segments", f"exemplars/{section}",
               partial(measured, section=section, recommended=True), ours, "chance", computed)
      for section, ours, computed in (
          ("coherence", "grouping around exemplars", OF_SEGMENTS["coherence"]),
          ("reach", "recommended segments", OF_SEGMENTS["reach"]))),
)  # fmt: skip
