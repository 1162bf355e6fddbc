"""Findings in words, made of the stored checks: words and evidence cannot part.

A page names a claim and says how it would sound if it held: "is ahead". Who is compared with whom,
whether it holds, and at which sizes, are the evidence's to say.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from celsa_lib.errors import DataError
from celsa_lib.models.registry import BASELINES
from celsa_lib.report.verdicts import CONTRADICTED, HOLDS, MISSING, UNDECIDED

OUTCOMES = (HOLDS, CONTRADICTED, UNDECIDED, MISSING)
NOT_CLEAR, NOT_COMPARED = "has no clear difference from {}", "has not been compared with {}"
# What is said of each outcome; {} is what something is compared with.
PHRASES = {
    "is ahead": ("is ahead of {}", "is behind {}", NOT_CLEAR, NOT_COMPARED),
    "is better": ("is better than {}", "is worse than {}", NOT_CLEAR, NOT_COMPARED),
    "is faster": ("is faster than {}", "is slower than {}", NOT_CLEAR, NOT_COMPARED),
    "is more coherent": (
        "is more coherent than {}", "is less coherent than {}", NOT_CLEAR, NOT_COMPARED
    ),
    "gains": ("gains on {}", "falls back against {}", "does not clearly move against {}",
              NOT_COMPARED),
    "raises": ("raises {}", "lowers {}", "does not clearly move {}", "has not been measured"),
    "hold more": ("hold more than {}", "hold less than {}", "hold about as much as {}",
                  "have not been compared with {}"),
    "helps": ("helps", "does harm", "makes no clear difference", "has not been tested"),
}  # fmt: skip


class SizedOutcome(NamedTuple):
    """Outcome of a stored check and its bytes per item, None where it is about no single size."""

    outcome: str
    size: int | None


def finding(claims: list[dict], text: str) -> str:
    """The clause for "CLAIM; PART; …: PHRASE", with a phrase of PHRASES, as the checks decide.

    `claims`: those of results/claims.json, findings included. CLAIM is an id; PART a part of what
    a check compares, between commas or a colon; a * in either stands for anything. Raises
    DataError where nothing is stored, or where the phrase is not one of ours.
    """
    about, _, phrase = (part.strip() for part in text.rpartition(":"))
    claim, *parts = (part.strip() for part in about.split(";"))
    if phrase not in PHRASES:
        raise DataError(f'"{phrase}" is no phrase for a finding; they are: {", ".join(PHRASES)}')
    found = _asked(claims, claim, parts)
    if len({pair for pair, _ in found}) > 1:
        raise DataError(f'"{about}" compares several pairs; name a part of one of them')
    ours, theirs = found[0][0]
    outcomes = [_sized_outcome(check) for _, check in found]
    named = ", ".join(part for part in parts if "*" not in part)
    return f"{ours}{f' ({named})' if named else ''} {described(outcomes, PHRASES[phrase], theirs)}"


def comparison(claims: list[dict], stored: str, baseline: str) -> str:
    """How Compressed ELSA compares with a baseline at each size of Table 1, as a clause.

    `stored`: a data set, as the ids of claims name it; `baseline`: a label. Raises DataError
    where no claim is about the two.
    """
    if baseline not in BASELINES:
        raise DataError(f'no baseline is called "{baseline}"; they are {", ".join(BASELINES)}')
    return finding(claims, f"best/{stored}/*/{slug(baseline)}: is ahead")


def evidence(claims: list[dict], text: str) -> str:
    """What the checks of "CLAIM; PART; …" compare or count, each with its 95 % interval.

    What all of them begin with, as the one baseline, is left out. Raises DataError where there is
    none.
    """
    claim, *parts = (part.strip() for part in text.split(";"))
    checks = [check for _, check in _asked(claims, claim, parts)]
    heads = {check["what"].partition(", ")[0] for check in checks}
    differences = all("low" in check and ", " in check["what"] for check in checks)
    alike = len(checks) > 1 == len(heads) and differences
    said = [check["what"].partition(", ")[2] if alike else check["what"] for check in checks]
    return "; ".join(
        what + (f" ({check['low']:+.4f} to {check['high']:+.4f})" if "low" in check else "")
        for what, check in zip(said, checks, strict=True)
    ).replace("-0.", "−0.")


def described(outcomes: list[SizedOutcome], phrase: Sequence[str], name: str) -> str:
    """Outcomes in a phrase: one for all of them, or what holds at which sizes, or how often."""
    says = dict(zip(OUTCOMES, phrase, strict=True))
    groups = {outcome: [one for one in outcomes if one.outcome == outcome] for outcome in OUTCOMES}
    groups = {outcome: found for outcome, found in groups.items() if found}
    sizes = [one.size for one in outcomes]
    if len(groups) == 1:
        (outcome,) = groups
        return says[outcome].format(name) + _everywhere(outcome, sizes)
    by_size = None not in sizes and len(set(sizes)) == len(sizes)
    clauses = []
    for outcome, found in groups.items():
        of = "" if clauses else f" of {len(outcomes)} comparisons"
        where = (
            f"at {listed_sizes([one.size for one in found])}" if by_size else f"in {len(found)}{of}"
        )
        clauses.append(f"{says[outcome].format('it' if clauses else name)} {where}")
    return listed(clauses)


def listed_sizes(sizes: list[int]) -> str:
    """[1024, 64] → "64 and 1,024 bytes"."""
    return f"{listed([f'{size:,}' for size in sorted(sizes)])} bytes"


def verdict(claims: list[dict], claim_id: str) -> str:
    """The word for a claim: "reproduced", "partly reproduced", … Raises DataError without it."""
    word = next((claim["verdict"] for claim in claims if claim["id"] == claim_id), None)
    if word is None:
        raise DataError(f'there is no claim "{claim_id}" in results/claims.json')
    return word


def slug(label: str) -> str:
    """A label as part of an id: "Low-dim ELSA, regularised" → "low-dim-elsa-regularised"."""
    return label.lower().replace(",", "").replace(" ", "-")


def listed(parts: list[str]) -> str:
    """["a", "b", "c"] → "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _asked(claims: list[dict], claim_id: str, parts: list[str]) -> list[tuple]:
    """(pair, check) of each check asked for; one that says so for a claim without any."""
    found = []
    for claim in claims:
        if fnmatchcase(claim["id"], claim_id):
            checks = claim["checks"] or [{"what": "", "outcome": MISSING}]
            found += [(_pair(claim, c["what"]), c) for c in checks if _is_about(c, parts)]
    if not found:
        asked = "; ".join([claim_id, *parts])
        raise DataError(f'results/claims.json has no check for "{asked}"')
    return found


def _pair(claim: dict, what: str) -> tuple[str, str]:
    """Who is compared with whom: as a check says after "minus", else as its claim does."""
    ours, theirs = claim["pair"]
    return ours, what.split(" minus ")[1] if " minus " in what else theirs


def _parts(what: str) -> list[str]:
    """ "width 1,024, 64 B" → ["width 1,024", "64 B"]."""
    return re.split(r"[,:] ", what)


def _is_about(check: dict, parts: list[str]) -> bool:
    """Whether it has all `parts`; a check that was not made stands for any."""
    made = _parts(check["what"])
    return made == [""] or all(any(fnmatchcase(one, part) for one in made) for part in parts)


def _sized_outcome(check: dict) -> SizedOutcome:
    sizes = [part for part in _parts(check["what"]) if re.fullmatch(r"[\d,]+ B", part)]
    size = int(sizes[0].removesuffix(" B").replace(",", "")) if sizes else None
    return SizedOutcome(check["outcome"], size)


def _everywhere(outcome: str, sizes: list[int | None]) -> str:
    if outcome == MISSING or sizes == [None]:
        return ""
    each = "any" if outcome == UNDECIDED else "every"
    if None in sizes:
        return f" in {each} comparison"
    return f" at {each} size" if len(set(sizes)) > 1 else f" at {listed_sizes(sizes[:1])}"
