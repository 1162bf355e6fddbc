"""The claims table: every claim with its verdict, as a list, a file, a table and a figure."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from typing_extensions import TypedDict

from celsa_lib.files import write_whole
from celsa_lib.models.registry import BASELINES, OURS
from celsa_lib.report.claim import CELLS, GROUPS, OTHER_CLAIMS, Claim
from celsa_lib.report.claim_list import CLAIMS
from celsa_lib.report.style import colour, mark, new_figure
from celsa_lib.report.tables import Html, typeset
from celsa_lib.report.verdicts import (
    CONTRADICTED,
    HOLDS,
    MISSING,
    NOT_TESTED,
    UNDECIDED,
    WORDS,
    Verdict,
)
from celsa_lib.results import BUDGETS, load_intact, located
from celsa_lib.typed import read_json

FORMAT, VERSION = "celsa-claims", 1
OF_A_FINDING = ("id", "notebook", "data", "computed", "pair", "checks")  # which has no verdict
SHORT = {HOLDS: "better", CONTRADICTED: "worse", UNDECIDED: "undecided", MISSING: "–"}
CELL = "text-align:left;white-space:normal"  # sentences, unlike other tables' numbers


class StoredCheck(TypedDict):
    """What was checked, and what came of it."""

    what: str
    outcome: str


class StoredFinding(TypedDict):
    """A comparison in the file of claims: what pages say it by."""

    id: str
    checks: list[StoredCheck]


class StoredClaim(StoredFinding):
    """A claim of the paper in the file of claims."""

    verdict: str


class StoredClaims(TypedDict):
    """The file of claims."""

    claims: list[StoredClaim]
    findings: list[StoredFinding]


def read_claims(path: str | Path) -> StoredClaims:
    """Claims and findings of a file. Raises StorageError."""
    remedy = "restore it from version control, or delete it"
    return read_json(path, StoredClaims, FORMAT, VERSION, "claims", remedy)


class Entry(NamedTuple):
    """A claim and its verdict."""

    claim: Claim
    verdict: Verdict


def claims(folder: str | Path = "results", judged: Sequence[Claim] = CLAIMS) -> "ClaimsTable":
    """Claims, judged by what is stored in `folder`. Raises StorageError, DataError."""
    names = dict.fromkeys(n for claim in judged for n in (*claim.stored, *claim.beside))
    paths = {name: located(Path(folder) / f"{name}.json") for name in names}
    results = {name: load_intact(path) for name, path in paths.items() if path.exists()}
    return ClaimsTable(tuple(Entry(claim, claim.judge(results)) for claim in judged))


@dataclass(frozen=True)
class ClaimsTable:
    """Claims with their verdicts."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def where(self, wanted: Callable[[Claim], bool]) -> "ClaimsTable":
        """Those of its claims that are wanted."""
        return ClaimsTable(tuple(entry for entry in self if wanted(entry.claim)))

    def of(self, notebook: str) -> "ClaimsTable":
        """The claims that a notebook is about."""
        return self.where(lambda claim: claim.notebook == notebook)

    @property
    def studies(self) -> list[str]:
        """Names of the stored results that can judge them."""
        return list(dict.fromkeys(name for claim, _ in self for name in claim.stored))

    def write(self, path: str | Path, findings: "ClaimsTable | None" = None) -> Path:
        """Write it as JSON, whole or not at all, and what else pages say. Raises StorageError."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "counts": {group: self._counts(group) for group in GROUPS},
            "claims": [_record(entry) for entry in self],
            "findings": [
                {name: value for name, value in _record(entry).items() if name in OF_A_FINDING}
                for entry in findings or ()
            ],
        }
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        return write_whole(path, lambda file: file.write(text.encode()))

    def lost_beside(self, path: str | Path) -> list[str]:
        """Ids of claims that have a verdict in the file at `path` and could not be tested now.

        Raises StorageError where the file is no claims table, or is damaged.
        """
        if not Path(path).expanduser().exists():
            return []
        stored = read_claims(path)["claims"]
        had = {claim["id"] for claim in stored if claim["verdict"] != NOT_TESTED}
        return [c.id for c, verdict in self if verdict.word == NOT_TESTED and c.id in had]

    def counts(self) -> pd.DataFrame:
        """How many claims of each group have each verdict: verdicts × groups.

        Beside a group, those with the recommended setting, of the claims that can be asked of it.
        """
        counts = {}
        for group in GROUPS:
            counts[group] = self._counts(group)
            beside = [v.recommended for c, v in self if c.group == group and v.recommended]
            if beside:
                found = Counter(verdict.word for verdict in beside)
                name = f"{group}, recommended setting"
                counts[name] = {word: found[word] for word in WORDS}
        return pd.DataFrame(counts).rename_axis("verdict").reset_index()

    def best_by_size(self) -> pd.DataFrame:
        """Compressed ELSA against each baseline: better, worse, undecided, or "–" if not tested.

        A line per data set and baseline, a column per budget.
        """
        lines: dict[tuple[str, str], dict] = {}
        for claim, verdict in self:
            if claim.cell:
                baseline, budget = claim.cell
                line = lines.setdefault((claim.data, baseline), {})
                outcomes = [check.outcome for check in verdict.checks] or [MISSING]
                line[f"{budget:,} B"] = SHORT[outcomes[0]]
        table = [{"data": data, "against": b} | line for (data, b), line in lines.items()]
        return pd.DataFrame(table).fillna(SHORT[MISSING])

    def table(self) -> Html:
        """Each claim with its verdict, group by group, counts first; everything in it escaped."""
        parts = []
        others_only = not any(claim.cell for claim, _ in self)
        for group in GROUPS:
            chosen = [entry for entry in self if entry.claim.group == group]
            if not chosen:
                continue
            counts = ", ".join(f"{n} {word}" for word, n in self._counts(group).items() if n)
            is_open = " open" if group in (CELLS, OTHER_CLAIMS) else ""
            title = "claims" if others_only and group == OTHER_CLAIMS else group
            parts.append(
                f"<details{is_open}><summary>{escape(title.capitalize())}: {counts}</summary>"
                f"{_table(chosen)}</details>"
            )
        return Html("".join(parts))

    def in_short(self) -> Html:
        """A sentence per verdict: the paper's claims with that verdict, but for single sizes."""
        said = {word: [] for word in WORDS}
        for claim, verdict in self:
            if claim.group == OTHER_CLAIMS:
                said[verdict.word].append(f"{claim.statement} ({claim.data})")
        parts = [
            f"<p><strong>{escape(word.capitalize())}</strong> ({len(held)}): "
            f"{escape(' '.join(held)) or '–'}</p>"
            for word, held in said.items()
        ]
        return Html("".join(parts))

    def figure(self) -> Figure | Html:
        """Intervals of Table 1's comparisons: a panel per data set, a line per budget.

        Each baseline has its mark. A sentence where no comparison is stored.
        """
        drawn = [e for e in self if e.claim.cell and e.verdict.interval]
        panels = list(dict.fromkeys(entry.claim.data for entry in drawn))
        if not panels:
            return Html("<p><em>No comparison is stored yet.</em></p>")
        shape = {"ncols": len(panels), "figsize": (2.6 * len(panels) + 1.0, 4.2)}
        with new_figure(**shape, squeeze=False, sharey=True) as (figure, axes):
            for panel, ax in zip(panels, axes[0], strict=True):
                _forest(ax, [entry for entry in drawn if entry.claim.data == panel], panel)
            figure.supxlabel(f"{OURS} − baseline, nDCG@100", fontsize=11)
            handles, labels = axes[0][0].get_legend_handles_labels()
            unique = dict(zip(labels, handles, strict=True))
            figure.legend(unique.values(), unique, loc="outside upper center", ncols=3,
                          fontsize=9.5)  # fmt: skip
        return figure

    def _counts(self, group: str) -> dict[str, int]:
        """Claims of a group by verdict, in the order of WORDS."""
        found = Counter(verdict.word for claim, verdict in self if claim.group == group)
        return {word: found[word] for word in WORDS}


def _record(entry: Entry) -> dict:
    claim, verdict = entry
    return {
        "id": claim.id,
        "statement": claim.statement,
        "section": claim.section,
        "notebook": f"notebooks/{claim.notebook}.ipynb",
        "group": claim.group,
        "verdict": verdict.word,
        "data": verdict.data,
        "computed": verdict.computed,
        "pair": claim.pair,
        "interval": verdict.interval and [round(end, 5) for end in verdict.interval],
        "why": verdict.why,
        "checks": [_rounded(asdict(check)) for check in verdict.checks],
        "recommended": verdict.recommended and verdict.recommended.word,
    }


def _rounded(check: dict) -> dict:
    values = check.pop("difference") or {}
    return check | {name: round(value, 5) for name, value in values.items()}


def _table(entries: Sequence[Entry]) -> str:
    titles = ("verdict", "with the recommended setting", "claim", "evidence")
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr>{_line(entry)}</tr>" for entry in entries)
    return (
        '<div style="overflow-x:auto"><table class="dataframe celsa-table celsa-claims">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _line(entry: Entry) -> str:
    claim, verdict = entry
    link = f'<a href="{escape(claim.notebook)}.html">{escape(claim.statement)}</a>'
    low_high = typeset("{:+.4f} to {:+.4f}".format(*verdict.interval)) if verdict.interval else ""
    interval = f"<strong>{low_high}</strong>; " if low_high else ""
    cells = [
        f"<strong>{escape(verdict.word)}</strong>",
        escape(verdict.recommended.word) if verdict.recommended else "–",
        f"{link}<br><small>Section {escape(claim.section)}</small>",
        f"{interval}{escape(typeset(_sentences(verdict.why, first=not interval)))}<br>"
        f"<small>{escape(verdict.computed)}. On: "
        f"{escape(verdict.data)}</small>",
    ]
    label = ' data-label="With the recommended setting: "'  # shown where there is no head
    labels = ("", label, "", "")
    pairs = zip(labels, cells, strict=True)
    return "".join(f'<td style="{CELL}"{label}>{cell}</td>' for label, cell in pairs)


def _sentences(text: str, first: bool) -> str:
    """`text` with a capital after each full stop, at its `first` word too if so, and a stop."""
    head, *rest = text.split(". ")
    rest = [part[:1].upper() + part[1:] for part in rest]
    return ". ".join([head[:1].upper() + head[1:] if first else head, *rest]) + "."


def _forest(axes, entries: Sequence[Entry], title: str) -> None:
    for claim, verdict in entries:
        baseline, budget = claim.cell
        found = verdict.checks[0].difference
        height = -BUDGETS.index(budget) - 0.2 * (BASELINES.index(baseline) - 1)
        spread = [[found.mean - found.low], [found.high - found.mean]]
        axes.errorbar(found.mean, height, xerr=spread, color=colour(baseline), capsize=2,
                      marker=mark(baseline), linestyle="none", label=baseline)  # fmt: skip
    axes.axvline(0, color="#555555", linewidth=1)
    axes.set_yticks([-i for i in range(len(BUDGETS))], [f"{b:,}" for b in BUDGETS])
    axes.set(title=title, ylabel="bytes per item")
    axes.locator_params(axis="x", nbins=4)
    axes.label_outer()
