"""Findings in words, made of the stored verdicts: words and evidence cannot part."""

from celsa_lib.errors import DataError
from celsa_lib.models.registry import BASELINES, OURS
from celsa_lib.report.verdicts import CONTRADICTED, HOLDS, MISSING, UNDECIDED

SAID = {
    HOLDS: "is ahead of {}",
    CONTRADICTED: "is behind {}",
    UNDECIDED: "has no clear difference from {}",
    MISSING: "has not been compared with {}",
}
IN_PROSE = {"Pruned EASE": "pruned EASE", "Low-dim ELSA": "low-dimensional ELSA"}


def comparison(claims: list[dict], stored: str, baseline: str) -> str:
    """How Compressed ELSA compares with a baseline at each size of Table 1, as a clause.

    `claims`: those of results/claims.json; `stored`: a data set, as their ids name it; `baseline`:
    a label. Raises DataError where no claim is about the two.
    """
    start, end = f"best/{stored}/", f"/{baseline.lower().replace(' ', '-')}"
    sizes: dict[str, list[int]] = {outcome: [] for outcome in SAID}
    for claim in claims:
        if claim["id"].startswith(start) and claim["id"].endswith(end):
            (outcome,) = {check["outcome"] for check in claim["checks"]} or {MISSING}
            sizes[outcome].append(int(claim["id"].split("/")[2]))
    told = {outcome: found for outcome, found in sizes.items() if found}
    if not told:
        raise DataError(
            f'no claim compares {OURS} with "{baseline}" on "{stored}"; the baselines are '
            f"{', '.join(BASELINES)}, the data as in the ids of results/claims.json"
        )
    name = IN_PROSE.get(baseline, baseline)
    if len(told) == 1:
        return f"{OURS} {SAID[next(iter(told))].format(name)} at every size"
    names = [name] + ["it"] * (len(told) - 1)
    clauses = [
        f"{SAID[outcome].format(called)} at {in_bytes(found)}"
        for called, (outcome, found) in zip(names, told.items(), strict=True)
    ]
    return f"{OURS} {listed(clauses)}"


def in_bytes(sizes: list[int]) -> str:
    """[1024, 64] → "64 and 1,024 bytes"."""
    return f"{listed([f'{size:,}' for size in sorted(sizes)])} bytes"


def verdict(claims: list[dict], claim_id: str) -> str:
    """The word for a claim: "reproduced", "partly reproduced", … Raises DataError without it."""
    word = next((claim["verdict"] for claim in claims if claim["id"] == claim_id), None)
    if word is None:
        raise DataError(f'there is no claim "{claim_id}" in results/claims.json')
    return "partly reproduced" if word == "partly" else word


def listed(parts: list[str]) -> str:
    """["a", "b", "c"] → "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
