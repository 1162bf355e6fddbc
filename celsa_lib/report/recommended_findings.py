"""What this book finds about the recommended setting, beside every other method of the studies."""

from functools import partial

from celsa_lib.models.registry import DENSE, OURS, RECOMMENDED, SAE, by_label
from celsa_lib.report.ablations import PARTS, name_by_parts
from celsa_lib.report.claim import Checks, Claim
from celsa_lib.report.claim_list import BY_USER
from celsa_lib.report.data_size import EVENLY, served_against
from celsa_lib.report.findings import slug
from celsa_lib.report.real_bytes import at_equal_bytes
from celsa_lib.report.rounded import rounded_gains
from celsa_lib.report.rule import nearly_chosen, start_against_whole
from celsa_lib.report.rules import check_of
from celsa_lib.report.statistics import is_stored
from celsa_lib.report.supports import variant_against
from celsa_lib.report.verdicts import Check
from celsa_lib.results import BUDGETS, Result


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


def finding_of(
    page: str,
    stored: str,
    name: str,
    checks: Checks,
    ours: str,
    theirs: str,
    computed: str = BY_USER,
) -> Claim:
    """A finding of this book, on a `page`: what a `stored` result says of the two, by checks."""
    return Claim(id=name, statement=f"{ours}, {theirs}", section="this book", notebook=page,
                 data=stored, stored=(stored,), checks=checks, computed=computed,
                 pair=(ours, theirs))  # fmt: skip


def _recommended(data: str, stored: str) -> list[Claim]:
    """The recommended setting beside every other method of its study."""
    return [
        finding_of("recommended", stored, f"recommended/{data}/{slug(label)}",
                 partial(recommended_against, label=label), "the recommended setting", theirs)
        for label, theirs in BESIDE.items()
    ] + [
        finding_of("recommended", stored, f"recommended-at-half/{data}/{slug(label)}",
                 partial(at_half, label=label), "the recommended setting at 32 bytes",
                 f"{theirs} at 64")
        for label, theirs in BESIDE.items() if by_label(label).compressed
    ]  # fmt: skip


def _beside_package(label: str, data: str) -> Claim:
    """The recommended setting beside a package with a study of its own, at the sizes of both."""
    study, told = OTHER_PACKAGES[label]
    return finding_of("recommended", f"{data}-{study}", f"recommended/{data}/{slug(label)}",
                    partial(recommended_against, label=label), "the recommended setting",
                    told)  # fmt: skip


def _by_who_is_tested(data: str) -> list[Claim]:
    """The recommended setting beside others after learning from the same, by group of users."""
    return [
        finding_of("data_size", f"{data}-data-size", f"served/{data}/{slug(label)}",
                 partial(served_against, label=label), "the recommended setting", told)
        for label, told in SERVED_BESIDE.items()
    ]  # fmt: skip


def _real_bytes(data: str) -> list[Claim]:
    """The recommended setting in a packed file beside other methods, at as many bytes."""
    return [
        finding_of("recommended", f"{data}-bytes", f"bytes/{data}/{slug(label)}",
                 partial(at_equal_bytes, label=label), "the recommended setting at 4 bits", told,
                 f"at as many bytes of a file: {BY_USER}")
        for label, told in PACKED_BESIDE.items()
    ]  # fmt: skip


def _rule(data: str) -> list[Claim]:
    """The rule beside the best choice of validation users, and its start beside a whole inverse."""
    return [
        finding_of("recommended", f"{data}-rule", f"rule/{data}", nearly_chosen,
                   "the recommended setting", "99 % of what validation users choose",
                   f"the rule − 0.99 × the best choice: {BY_USER}"),
        finding_of("recommended", f"{data}-rule", f"start/{data}", start_against_whole,
                   "a start by blocks of fifty neighbours", "one by the whole inverse"),
    ]  # fmt: skip


def _smallest(data: str) -> Claim:
    """The rule at 32 bytes beside the best choice of validation users."""
    return finding_of("recommended", f"{data}-smallest", f"smallest/{data}", nearly_chosen,
                    "the recommended setting", "99 % of what validation users choose",
                    f"the rule − 0.99 × the best choice: {BY_USER}")  # fmt: skip


def _regrown(data: str) -> list[Claim]:
    """Supports that are regrown by gradient beside others."""
    return [
        finding_of("recommended", f"{data}-supports", f"regrowth/{data}/{slug(one)}/{slug(other)}",
                 partial(variant_against, ours=one, theirs=other), *told)
        for (one, other), told in REGROWN_BESIDE.items()
    ]  # fmt: skip


def _parts(data: str) -> list[Claim]:
    """The recommended setting beside the same without each of its parts."""
    return [
        finding_of("recommended", f"{data}-parts", f"parts/{data}/{slug(part)}",
                 partial(variant_against, ours=RECOMMENDED, theirs=f"{RECOMMENDED} without {part}",
                         name_of=name_by_parts),
                 "the recommended setting", f"the same without {part}")
        for part in (*PARTS.values(), "a floor", "one budget")
    ]  # fmt: skip


def _rounded_epochs(bits: int) -> Claim:
    """Packed rows after last epochs that saw rounded values beside those rounded afterwards."""
    return finding_of("recommended", "rounded-epochs", f"rounded-epochs/{bits}",
                    partial(rounded_gains, bits=bits),
                    f"rounding to {bits} bits in the last epochs",
                    "rounding afterwards")  # fmt: skip


THEIR_PACKAGE = "compresso-recsys"
TABLES = ("goodbooks-10k-partial", "ml-100k", "synthetic")
SYNTHETIC = ("synthetic-800", "synthetic-3500", "synthetic-10000")
BESIDE = {  # and as prose says it
    OURS: "the paper's procedure",
    "Pruned EASE": "pruned EASE",
    "Low-dim ELSA": "low-dimensional ELSA",
    "Low-dim ELSA, regularised": "low-dimensional ELSA with the same regularisation",
    SAE: "ELSA + SAE",
    "ELSA + SAE, regularised": "ELSA + SAE with the same regularisation",
    "EASE, by row, refitted": "EASE pruned by row and refitted",
    "EASE, one threshold": "EASE pruned by one threshold",
    "EASE, threshold, refitted": "EASE pruned by one threshold and refitted",
    "Pruned EDLAE": "pruned EDLAE",
    "EDLAE, one threshold": "EDLAE pruned by one threshold",
    "EDLAE, threshold, refitted": "EDLAE pruned by one threshold and refitted",
    "Sparse MRF": "a sparse Markov random field",
    "EASE": "whole EASE",
    "EDLAE": "whole EDLAE",
    DENSE: "dense ELSA",
    "ELSA, regularised": "dense ELSA with the same regularisation",
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
SERVED_BESIDE = {
    EVENLY: "the same with users drawn evenly",
    "Pruned EASE": "pruned EASE",
    "EASE, one threshold": "EASE pruned by one threshold",
    "EASE, threshold, refitted": "EASE pruned by one threshold and refitted",
    "EDLAE, one threshold": "EDLAE pruned by one threshold",
    "EASE": "whole EASE",
}
REGROWN_BESIDE = {  # by their names in tables, and as prose says it
    ("random, regrown", "pruned"): ("regrowth from a start at random", "the paper's pruning"),
    ("random, regrown", "moving, straight through"): (
        "regrowth from a start at random",
        "a mask that moves straight through",
    ),
    ("anchored, regrown", "anchored"): ("regrowth from an anchored start", "the same without"),
    (f"{RECOMMENDED}, regrown", RECOMMENDED): (
        "the recommended setting with regrowth",
        "the same without",
    ),
}
OTHER_PACKAGES = {  # their studies, and as prose says it
    THEIR_PACKAGE: ("compresso", "the package of the paper's authors"),
    "SANSA": ("sansa", "SANSA"),
}
WITH_SANSA = ("ml-100k", "goodbooks", "synthetic-800", "synthetic-3500")
RULED = ("goodbooks", "ml-100k", "synthetic-800", "synthetic-3500", "synthetic-10000")
ABOUT_RECOMMENDED = (
    *_recommended("goodbooks", TABLES[0]),
    *_recommended("ml-100k", TABLES[1]),
    *_recommended("synthetic", TABLES[2]),
    *(one for name in SYNTHETIC for one in _recommended(name, name)),
    *(_beside_package(THEIR_PACKAGE, data) for data in ("ml-100k", "goodbooks")),
    *(_beside_package("SANSA", data) for data in WITH_SANSA),
    *_by_who_is_tested("ml-100k"),
    *_by_who_is_tested("goodbooks"),
    *(one for name in RULED for one in _rule(name)),
    *map(_smallest, ("goodbooks", "synthetic-10000")),
    *(one for name in ("ml-100k", "synthetic-800") for one in _regrown(name)),
    *(one for name in ("ml-100k", "goodbooks", "synthetic-800") for one in _parts(name)),
    *map(_rounded_epochs, (4, 3)),
    *_real_bytes("ml-100k"),
    *_real_bytes("goodbooks"),
)
