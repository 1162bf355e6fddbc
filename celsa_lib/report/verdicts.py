"""From intervals to words: what is checked, how checks add up to a verdict.

An interval is always of something that is above 0 if the paper is right. A check holds if its
interval lies above 0, is contradicted if it lies below, and is undecided otherwise. A verdict
follows from the checks that were made; how many could not be made is said beside it. A claim that
something holds everywhere is

- reproduced if every check holds,
- partly reproduced if some hold and others do not,
- not reproduced if none holds,
- not tested here if none could be made.

A claim that something holds somewhere is reproduced if one check holds; its intervals are widened
for the number of checks (Bonferroni), because the best of many looks good by chance. A claim that
sets one thing against another, its last check, is not reproduced where that check does not hold:
without the other side nothing is contrasted. Where that check could not be made, what holds of the
rest decides nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from celsa_lib.evaluation import Difference

HOLDS, CONTRADICTED, UNDECIDED, MISSING = "holds", "contradicted", "undecided", "not tested"
REPRODUCED, PARTLY, NOT_REPRODUCED = "reproduced", "partly reproduced", "not reproduced"
NOT_TESTED = "not tested here"
WORDS = (REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTED)
NAMED = 3  # checks that are named in a sentence; the others are counted


@dataclass(frozen=True)
class Check:
    """One comparison: what was compared, how it came out, its interval if it has one."""

    what: str
    outcome: str
    difference: Difference | None = None


@dataclass(frozen=True)
class Verdict:
    """The word, on which data, what was computed, the deciding interval (low, high), and why.

    recommended: the same, judged of the recommended setting; None where it cannot be asked of it.
    """

    word: str
    data: str
    computed: str
    interval: tuple[float, float] | None
    why: str
    checks: tuple[Check, ...] = ()
    recommended: "Verdict | None" = None


def compared(what: str, difference: Difference) -> Check:
    """A check by interval: holds above 0, contradicted below, undecided where 0 is inside.

    Undecided too where there is no interval, of a single user.
    """
    if isnan(difference.low):
        return Check(what, UNDECIDED)
    side = CONTRADICTED if difference.high < 0 else UNDECIDED
    return Check(what, HOLDS if difference.low > 0 else side, difference)


def counted(what: str, holds: bool) -> Check:
    """A check of something that is counted and has no interval."""
    return Check(what, HOLDS if holds else CONTRADICTED)


def missing(what: str) -> Check:
    """A check that could not be made: its rows are not stored."""
    return Check(what, MISSING)


def everywhere(checks: Sequence[Check]) -> str:
    """The word for a claim that every check should bear out."""
    outcomes = _made(checks)
    if not outcomes:
        return NOT_TESTED
    if outcomes == {HOLDS}:
        return REPRODUCED
    return PARTLY if HOLDS in outcomes else NOT_REPRODUCED


def somewhere(checks: Sequence[Check]) -> str:
    """The word for a claim that one check should bear out."""
    outcomes = _made(checks)
    if not outcomes:
        return NOT_TESTED
    return REPRODUCED if HOLDS in outcomes else NOT_REPRODUCED


def contrast(checks: Sequence[Check]) -> str:
    """The word for a claim that hangs on its last check, as one of two sides on the second."""
    last, word = checks[-1].outcome if checks else MISSING, everywhere(checks)
    if last == MISSING:
        return word if word == NOT_REPRODUCED else NOT_TESTED
    return word if last == HOLDS else NOT_REPRODUCED


def _made(checks: Sequence[Check]) -> set[str]:
    """Outcomes of the checks that could be made."""
    return {check.outcome for check in checks} - {MISSING}


def judged(
    checks: Sequence[Check], data: str, computed: str, rule: Callable[[Sequence[Check]], str]
) -> Verdict:
    """The verdict on checks by a `rule`: `everywhere`, `somewhere` or `contrast`."""
    word = rule(checks)
    return Verdict(word, data, computed, _deciding(checks, rule), _why(checks), tuple(checks))


def _deciding(checks: Sequence[Check], rule) -> tuple[float, float] | None:
    """The interval that the word hangs on: the lowest of all, or the highest where one will do."""
    intervals = [(c.difference.low, c.difference.high) for c in checks if c.difference is not None]
    best = max if rule is somewhere else min
    return best(intervals, default=None)


def _why(checks: Sequence[Check]) -> str:
    """How many of those that were made hold, which do not, and what was not tested."""
    if not checks:
        return "nothing to compare is stored"
    if len(checks) == 1:
        return _why_one(checks[0])
    held = sum(check.outcome == HOLDS for check in checks)
    made = sum(check.outcome != MISSING for check in checks)
    parts = [f"holds in {held} of {made} checks"] if made else []
    for outcome in (CONTRADICTED, UNDECIDED, MISSING):
        names = [check.what for check in checks if check.outcome == outcome]
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            count = f"{len(names)} " if outcome == MISSING else ""
            parts.append(f"{count}{outcome}: {'; '.join(names[:NAMED])}{more}")
    return ". ".join(parts)


def _why_one(check: Check) -> str:
    if check.outcome == MISSING:
        return f"not stored: {check.what}"
    if check.difference is None:
        return f"{check.outcome}: {check.what}"
    return {
        HOLDS: "the interval lies above 0",
        CONTRADICTED: "contradicted: the interval lies below 0",
        UNDECIDED: "undecided: the interval includes 0",
    }[check.outcome]
