"""What each claim of the paper is checked by: from a stored result to checks.

Every rule takes a Result and gives its checks; where rows are absent, a check is missing.
"""

from collections.abc import Iterable
from itertools import pairwise

from celsa_lib.evaluation import Difference, difference_by_user
from celsa_lib.models.registry import BASELINES, DENSE, LOW_DIM, OURS, RECOMMENDED, SAE
from celsa_lib.report.statistics import METRIC, better, is_stored, summary, users_of
from celsa_lib.report.verdicts import Check, compared, counted, missing
from celsa_lib.results import BUDGETS, GRADUAL, Result

TABLE_1 = ("EASE", DENSE, *BASELINES, OURS)
NO_LOSS = 0.995  # the paper calls 0.393 against 0.395 no loss: half a percent
SMALL_LOSS = 0.975
STRONG_LOSS = 0.9
ABOUT_0_001 = 0.0015  # what is rounded to 0.001


def best_at(result: Result, budget: int, baseline: str, ours: str = OURS) -> list[Check]:
    """Compressed ELSA (`ours`) − a baseline at one budget in bytes per item."""
    return [better_at(result, ours, baseline, budget)]


def better_at(result: Result, label: str, other: str, budget: int) -> Check:
    """One method − another at one budget in bytes per item."""
    return check_of(result, f"{other}, {budget:,} B", _at(label, budget), _at(other, budget))


def smaller(result: Result, factor: int, share: float, ours: str = OURS) -> list[Check]:
    """Compressed ELSA (`ours`) − share × dense ELSA, at the largest size `factor` times smaller.

    Where none that is stored is that small, the smallest is compared and the wanted one, the last
    check, is missing: `contrast` takes no smaller factor for it.
    """
    dense = result.select(label=DENSE)
    if not dense:
        return [missing("dense ELSA")]
    size = dense[0]["budget_bytes"]
    budgets = {*BUDGETS, *(row["budget_bytes"] for row in result.select(label=ours))}
    fitting = [budget for budget in budgets if budget * factor <= size]
    budget = max(fitting, default=min(budgets))
    what = f"{budget:,} B instead of {size:,} B, {size / budget:.0f}× smaller"
    checks = [check_of(result, what, _at(ours, budget), {"label": DENSE}, share)]
    if not fitting:
        checks.append(missing(f"{factor}× smaller than {size:,} B"))
    return checks


def narrow_loses(result: Result) -> list[Check]:
    """Dense ELSA − low-dimensional ELSA: a loss at each budget, above 10 % at the smallest, and
    larger there than at the largest.
    """
    narrow, dense, low, high = LOW_DIM, {"label": DENSE}, min(BUDGETS), max(BUDGETS)
    checks = [check_of(result, f"{b:,} B", dense, _at(narrow, b)) for b in BUDGETS]
    return [
        *checks,
        check_of(result, f"{low} B, by over 10 %", dense, _at(narrow, low), 1 / STRONG_LOSS),
        check_of(result, f"{low} B below {high:,} B", _at(narrow, high), _at(narrow, low)),
    ]


def afterwards_is_worse(result: Result) -> list[Check]:
    """Dense ELSA − its autoencoder's codes, and Compressed ELSA − the codes, at each budget."""
    return [
        check_of(result, f"{label}, {b:,} B", ours, _at(SAE, b))
        for b in BUDGETS
        for label, ours in ((DENSE, {"label": DENSE}), (OURS, _at(OURS, b)))
    ]


def schedules_against(
    result: Result, ours: Iterable[str], theirs: str, restart: bool = True
) -> list[Check]:
    """Each schedule of `ours` − `theirs` at each budget, both with or both without restarts."""
    return [
        check_of(
            result, f"{name}, {b:,} B", _scheduled(name, b, restart), _scheduled(theirs, b, restart)
        )
        for name in ours
        for b in BUDGETS
    ]


def restarts(result: Result) -> list[Check]:
    """Each gradual schedule with restarts − the same without, at each budget."""
    return [
        check_of(result, f"{name}, {b:,} B", _scheduled(name, b), _scheduled(name, b, False))
        for name in GRADUAL
        for b in BUDGETS
    ]


def wider(result: Result) -> list[Check]:
    """Each initial width − the next smaller one, at each budget."""
    widths = _widths(result)
    return [
        check_of(result, f"width {wide:,} and {w:,}, {b:,} B", _wide(wide, b), _wide(w, b))
        for w, wide in pairwise(widths)
        for b in BUDGETS
    ]


def diminishing(result: Result) -> list[Check]:
    """What the first doubling of the width gains − what the last one gains, at each budget."""
    widths = _widths(result)
    if len(widths) < 3:
        return []
    return [_returns(result, widths, b) for b in BUDGETS]


def above_dense(result: Result) -> list[Check]:
    """Compressed ELSA of each width and budget − dense ELSA, intervals widened for their number."""
    pairs = [(w, b) for w in _widths(result) for b in BUDGETS]
    return _above(result, {f"width {w:,}, {b:,} B": _wide(w, b) for w, b in pairs})


def recommended_above_dense(result: Result) -> list[Check]:
    """The recommended setting of each size − dense ELSA, intervals widened for their number."""
    sizes = sorted({row["budget_bytes"] for row in result.select(label=RECOMMENDED)})
    return _above(result, {f"{size:,} B": _at(RECOMMENDED, size) for size in sizes})


def latents(result: Result) -> list[Check]:
    """Gradual schedules leave no latent that no item uses; pruning to k at once leaves some."""
    gradual = [_dead(result, _scheduled(name, b)) for name in GRADUAL for b in BUDGETS]
    return [*gradual, _dead(result, _scheduled("constant", min(BUDGETS)), wanted=False)]


def faster(result: Result) -> list[Check]:
    """Seconds of dense ELSA of a usual width − seconds of sparse rows; quartiles of the rounds."""
    rows = {row["contender"]: row for row in result.rows if row.get("section") == "inference"}
    ours = rows.get("celsa")
    dense = [n for n in rows if n.startswith("dense ELSA") and "equal bytes" not in n]
    return [seconds_saved(name, ours, rows[name]) for name in dense if ours]


def small_errors(result: Result) -> list[Check]:
    """The largest standard error over users of Table 1's methods is about 0.001."""
    table = summary(result)
    errors = table.loc[table["label"].isin(TABLE_1), f"{METRIC} ±"] if len(table) else table
    if not len(errors):
        return []
    largest, folds = errors.max(), result.manifest["config"]["n_folds"]
    what = f"at most {largest:.4f}; were a user's {folds} folds independent, "
    return [counted(what + f"{largest / folds**0.5:.4f}", largest < ABOUT_0_001)]


def measured(result: Result, section: str, recommended: bool = False) -> list[Check]:
    """Differences that a study has measured itself: rows with section, what, mean, low, high.

    Either those of the recommended setting or all others.
    """
    rows = [
        row
        for row in result.rows
        if row.get("section") == section and (row.get("space") == RECOMMENDED) == recommended
    ]
    return [compared(r["what"], Difference(r["mean"], r["low"], r["high"])) for r in rows]


def check_of(
    result: Result, what: str, ours: dict, theirs: dict, share: float = 1.0, **options
) -> Check:
    """One selection of rows − `share` × another, by user; missing where either is not stored."""
    if not (is_stored(result, ours) and is_stored(result, theirs)):
        return missing(what)
    return compared(what, better(result, ours, theirs, share, **options))


def _at(label: str, budget: int) -> dict:
    """What selects a method's rows of a size."""
    return {"label": label, "budget_bytes": budget}


def _scheduled(schedule: str, budget: int, restart: bool = True) -> dict:
    restart = restart and schedule != "constant"  # which has nothing to restart from
    return {**_at(OURS, budget), "schedule": schedule, "restart": restart}


def _wide(width: int, budget: int) -> dict:
    return {**_at(OURS, budget), "width": width}


def _above(result: Result, ours: dict[str, dict]) -> list[Check]:
    """What `ours` selects − dense ELSA, intervals at 95 % for all together."""
    confidence = 1 - 0.05 / max(len(ours), 1)
    options = {"confidence": confidence, "n_resamples": 10_000}  # far tails need more resamples
    dense = {"label": DENSE}
    return [check_of(result, what, one, dense, **options) for what, one in ours.items()]


def _widths(result: Result) -> list[int]:
    return sorted({row["params"]["width"] for row in result.select(label=OURS)})


def _returns(result: Result, widths: list[int], budget: int) -> Check:
    what = f"{budget:,} B"
    ends = [_wide(width, budget) for width in (*widths[:2], *widths[-2:])]
    if not all(is_stored(result, end) for end in ends):
        return missing(what)
    first, second, third, last = (users_of(result, end) for end in ends)
    return compared(what, difference_by_user(second - first, last - third))


def _dead(result: Result, selection: dict, wanted: bool = True) -> Check:
    """Whether all latents are used at the end in every seed; `wanted` says if they should be."""
    rows = [row for row in result.select(**selection) if row.get("history")]
    what = f"{selection['schedule']}, {selection['budget_bytes']:,} B"
    if not rows:
        return missing(what)
    width = rows[0]["params"]["width"]
    dead = max(width - row["history"][-1][1] for row in rows)
    return counted(f"{what}: {dead:,} of {width:,} latents unused", (dead == 0) == wanted)


def seconds_saved(name: str, ours: dict, theirs: dict) -> Check:
    """Seconds of `theirs` − seconds of `ours`, between the ends of their intervals."""
    low, high = theirs["low"] - ours["high"], theirs["high"] - ours["low"]
    ratio = theirs["seconds"] / ours["seconds"]
    saved = theirs["seconds"] - ours["seconds"]
    return compared(f"{name}, {ratio:.1f}× the time", Difference(saved, low, high))
