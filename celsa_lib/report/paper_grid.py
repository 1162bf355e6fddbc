"""Table 1 as the paper prints it: methods by sizes; ours, the paper's or the difference, by choice.

The choice is made by radio buttons and a style that comes with each table, without a script.
"""

from collections.abc import Iterator
from html import escape

import pandas as pd

from celsa_lib.models.registry import BASELINES, OURS, RECOMMENDED, UNCOMPRESSED
from celsa_lib.report.paper import name_in_paper, paper_table
from celsa_lib.report.statistics import METRIC
from celsa_lib.report.tables import Html, best_rows, data_name, typeset
from celsa_lib.results import BUDGETS

GRID = (*UNCOMPRESSED, *BASELINES, OURS, RECOMMENDED)
CHOICES = {"ours": "ours", "paper": "the paper's", "difference": "ours − the paper's"}
NO_VALUE = "–"
# Without :has the first kind is shown.
STYLE = """<style>
.celsa-switched fieldset { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 0 0 .4rem; padding: 0; border: 0; }
.celsa-switched legend { float: left; width: auto; margin: 0 .6rem 0 0; padding: 0; font-size: inherit; font-weight: 600; }
.celsa-switched label { margin: 0; cursor: pointer; }
.celsa-switched input { margin-right: .3rem; }
.celsa-switched td { text-align: right; font-variant-numeric: tabular-nums; }
.celsa-switched tbody th { text-align: left; font-weight: 400; }
.celsa-switched .celsa-own th { font-weight: 700; }
.celsa-switched td span + span { display: none; }
@supports selector(:has(*)) {
  .celsa-switched td span.celsa-value { display: none; }
  .celsa-switched:has([value=ours]:checked) td span.celsa-ours,
  .celsa-switched:has([value=paper]:checked) td span.celsa-paper,
  .celsa-switched:has([value=difference]:checked) td span.celsa-difference { display: inline; }
}
</style>"""  # noqa: E501


def paper_grid(dataset: str, ours: pd.DataFrame | None = None) -> Html:
    """nDCG@100 of each method of Table 1 at each size, for `dataset` or what it is a part of.

    ours: lines with label, budget_bytes, ndcg@100 and its error, or None; what is highest at a
    size, or within one standard error of that, is bold. Nothing where neither has values.
    """
    theirs = paper_table(name_in_paper(dataset))
    kinds = {"ours": _values(ours), "paper": _values(theirs)}
    kinds = {kind: values for kind, values in kinds.items() if values}
    if not kinds:
        return Html("")
    bold = _strongest(ours) if "ours" in kinds else set()
    labels = [label for label in GRID if any(label in values for values in kinds.values())]
    body = "".join(_line(label, kinds, bold) for label in labels)
    head = "".join(f'<th scope="col">{size:,}&nbsp;B</th>' for size in BUDGETS)
    table = (
        f'<table class="dataframe celsa-table"><caption>{escape(_caption(dataset, kinds))}'
        f'</caption><thead><tr><th scope="col">nDCG@100</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
    return Html(f'{STYLE}<div class="celsa-switched">{_switch(dataset, kinds)}{table}</div>')


def _values(lines: pd.DataFrame | None) -> dict[str, dict[int, float]]:
    """nDCG@100 by label and bytes."""
    found: dict[str, dict[int, float]] = {}
    for line in [] if lines is None else lines.to_dict("records"):
        found.setdefault(line["label"], {})[line["budget_bytes"]] = line[METRIC]
    return found


def _strongest(lines: pd.DataFrame) -> set[tuple[str, int]]:
    """Label and size of what is bold."""
    shown = lines[lines["label"].isin(GRID)].reset_index(drop=True)
    places = shown.loc[sorted(best_rows(shown)), ["label", "budget_bytes"]]
    return set(places.itertuples(index=False, name=None))


def _caption(dataset: str, kinds: dict) -> str:
    whole = name_in_paper(dataset)
    text = f"Table 1 of the paper, {data_name(whole)}" if "paper" in kinds else data_name(dataset)
    if "ours" in kinds and whole != dataset:
        text += f"; ours: {data_name(dataset)}, so other training data"
    return text


def _switch(dataset: str, kinds: dict) -> str:
    """Radio buttons for what is there; where there is one kind, it is chosen and not shown."""
    names = [*kinds, "difference"] if len(kinds) > 1 else [*kinds]
    inputs = [
        f'<input type="radio" name="table-1-{escape(dataset)}" value="{name}"'
        f"{'' if place else ' checked'}>"
        for place, name in enumerate(names)
    ]
    if len(names) == 1:
        return f"<span hidden>{inputs[0]}</span>"
    labels = (
        f"<label>{box}{CHOICES[name]}</label>" for box, name in zip(inputs, names, strict=True)
    )
    return f"<fieldset><legend>Show</legend>{''.join(labels)}</fieldset>"


def _line(label: str, kinds: dict, bold: set[tuple[str, int]]) -> str:
    """A method: a cell per size, or one over all sizes for a model without a budget."""
    own = ' class="celsa-own"' if label in (OURS, RECOMMENDED) else ""
    head = f'<th scope="row">{escape(label)}</th>'
    by_kind = {kind: values.get(label, {}) for kind, values in kinds.items()}
    if label in UNCOMPRESSED:
        cells = f'<td colspan="{len(BUDGETS)}">{_whole(by_kind)}</td>'
    else:
        cells = "".join(
            f"<td>{''.join(_spans(by_kind, size, (label, size) in bold))}</td>" for size in BUDGETS
        )
    return f"<tr{own}>{head}{cells}</tr>"


def _spans(by_kind: dict, size: int, is_bold: bool) -> Iterator[str]:
    """A value of each kind, and the difference where there are two."""
    found = {kind: values.get(size) for kind, values in by_kind.items()}
    for kind, value in found.items():
        text = NO_VALUE if value is None else f"{value:.3f}"
        strong = is_bold and kind == "ours"
        yield _span(kind, f"<strong>{text}</strong>" if strong else text)
    if len(found) > 1:
        both = None not in found.values()
        text = f"{found['ours'] - found['paper']:+.3f}" if both else NO_VALUE
        yield _span("difference", typeset(text))


def _whole(by_kind: dict) -> str:
    """A model of one size, which may be another in the paper: then there is no difference."""
    found = {kind: next(iter(values.items()), None) for kind, values in by_kind.items()}
    text = {k: f"{v[1]:.3f}, {v[0]:,} bytes" if v else NO_VALUE for k, v in found.items()}
    if len(found) > 1:
        same = all(found.values()) and len({size for size, _ in found.values()}) == 1
        gap = typeset(f"{found['ours'][1] - found['paper'][1]:+.3f}") if same else "of other sizes"
        text["difference"] = gap
    return "".join(_span(kind, words) for kind, words in text.items())


def _span(kind: str, text: str) -> str:
    return f'<span class="celsa-value celsa-{kind}">{text}</span>'
