"""Supports side by side: how the entries of rows are chosen, with regrowth and without."""

from collections.abc import Callable

from celsa_lib.evaluation import difference_by_user
from celsa_lib.models.registry import RECOMMENDED
from celsa_lib.report.verdicts import Check, compared
from celsa_lib.results import Result

SUPPORT_NAMES = {
    "pruned": "pruned",
    "moving": "moving, straight through",
    "anchored": "anchored",
}
RANDOM, REGROWN = "random", "regrown"


def name_by_support(params: dict) -> str:
    """What the rows of `params` are called, by how their entries are chosen."""
    if params.get("recipe") == "recommended":
        name = RECOMMENDED
    elif params.get("schedule") == "constant":
        name = RANDOM
    else:
        name = SUPPORT_NAMES[params.get("support", "pruned")]
    return f"{name}, {REGROWN}" if params.get("regrowth") else name


def regrown_pairs(names: list[str]) -> list[tuple[str, str]]:
    """Each support with regrowth beside each without, of the same recipe."""
    regrown = [name for name in names if name.endswith(REGROWN)]
    return [
        (ours, theirs)
        for ours in regrown
        for theirs in names
        if theirs not in regrown and ours.startswith(RECOMMENDED) == theirs.startswith(RECOMMENDED)
    ]


def variant_against(
    result: Result, ours: str, theirs: str, name_of: Callable[[dict], str] = name_by_support
) -> list[Check]:
    """One variant − another at each size that both have, by the names that params give them."""
    groups: dict[tuple, list[dict]] = {}
    for row in result.rows:
        groups.setdefault((row["budget_bytes"], name_of(row["params"])), []).append(row)
    sizes = [size for size, name in groups if name == ours and (size, theirs) in groups]
    return [
        compared(
            f"{size:,} B",
            difference_by_user(*(result.by_user(groups[size, name]) for name in (ours, theirs))),
        )
        for size in sizes
    ]
