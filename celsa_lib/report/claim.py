"""A claim, and how what is stored judges it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from celsa_lib.data import dataset_info
from celsa_lib.models.registry import by_name
from celsa_lib.report.verdicts import NOT_TESTED, Check, Verdict, everywhere, judged
from celsa_lib.results import Result

CELLS, OTHER_CLAIMS, OTHER_DATA = "best at a size", "other claims", "on other data"
GROUPS = (CELLS, OTHER_CLAIMS, OTHER_DATA)
Checks = Callable[[Result], Sequence[Check]]


@dataclass(frozen=True)
class Claim:
    """A claim in our words, where the paper makes it, and how it is judged here.

    `data`: what it is made for. `stored`: names of the results that can judge it, the first that
    is there does. `pair`: what is compared with what, as prose says it. `cell`: (baseline, bytes)
    of a comparison in Table 1. `extra`: on data that is not in the paper. `recommended`: what
    checks the same of the recommended setting, by results of the names `beside` if it is in others.
    """

    id: str
    statement: str
    section: str
    notebook: str
    data: str
    stored: tuple[str, ...]
    checks: Checks
    computed: str
    pair: tuple[str, str] = ("", "")
    rule: Callable[[Sequence[Check]], str] = everywhere
    cell: tuple[str, int] | None = None
    extra: bool = False
    recommended: Checks | None = None
    beside: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """One of GROUPS."""
        return OTHER_DATA if self.extra else CELLS if self.cell else OTHER_CLAIMS

    def judge(self, results: Mapping[str, Result | None]) -> Verdict:
        """The verdict from results by name; "not tested here" where none can judge it.

        Raises DataError if a result has several methods where the claim needs one.
        """
        verdict = self._judged(self.checks, self.stored, results)
        beside = self.beside or self.stored
        if self.recommended is None or _first(beside, results) is None:
            return verdict
        return replace(verdict, recommended=self._judged(self.recommended, beside, results))

    def _judged(
        self, checks: Checks, stored: tuple[str, ...], results: Mapping[str, Result | None]
    ) -> Verdict:
        name = _first(stored, results)
        if name is None:
            why = f"there is no stored result {' or '.join(stored)}"
            return Verdict(NOT_TESTED, self.data, self.computed, None, why)
        result = results[name]
        return judged(checks(result), _data(name, result), self.computed, self.rule)


def _first(names: Sequence[str], results: Mapping[str, Result | None]) -> str | None:
    """The first of `names` that has a result."""
    return next((name for name in names if results.get(name) is not None), None)


def _data(name: str, result: Result) -> str:
    manifest = result.manifest
    if "config" not in manifest:  # a benchmark
        return manifest.get("what", name)
    config = manifest["config"]
    runs = _seeds(result)
    info = dataset_info(config["dataset"])
    note = f" ({info.caveat})" if info.caveat else ""
    return f"{info.short}{note}; {config['n_test']:,} test users; {runs}"


def _seeds(result: Result) -> str:
    """How many seeds methods were trained with; those in closed form have none."""
    seeds: dict = {}
    for row in result.rows:
        if "method" not in row or by_name(row["method"]).trained:
            seeds.setdefault(row.get("label"), set()).add(row.get("seed"))
    least, most = (pick(map(len, seeds.values()), default=1) for pick in (min, max))
    if most == 1:
        return "1 training seed, so how runs differ is open"
    return f"{most} training seeds" if least == most else f"{least} to {most} training seeds"
