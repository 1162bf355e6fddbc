"""Tables for the book: numbers with their errors, and where they come from."""

import re
from html import escape

import pandas as pd

from celsa_lib.data import dataset_info, datasets
from celsa_lib.evaluation import METRICS

TITLES = {
    "label": "method",
    "schedule": "schedule",
    "restart": "restarts",
    "width": "width",
    "epochs": "E",
    "learning_rate": "rate",
    "budget_bytes": "bytes per item",
    "paper ndcg@100": "nDCG@100, paper",
    "demo ndcg@100": "nDCG@100, authors' demo",
    "ndcg@100": "nDCG@100",
    "seeds ±": "± over seeds",
    "minus paper": "ours − paper",
    "coverage@50": "coverage@50",
    "rare recall@50": "rare Recall@50",
    "recall@20": "Recall@20",
    "recall@50": "Recall@50",
}
NUMBER_FORMATS = {
    "width": "{:,.0f}",
    "budget_bytes": "{:,.0f}",
    "epochs": "{:.0f}",
    "learning_rate": "{:g}",
    "paper ndcg@100": "{:.3f}",
    "demo ndcg@100": "{:.3f}",
    "seeds ±": "{:.4f}",
    "minus paper": "{:+.3f}",
    "coverage@50": "{:.2f}",
    "rare recall@50": "{:.3f}",
}
TEXT_COLUMNS = ("label", "schedule", "restart")  # on the left; numbers on the right
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
LONG = 28  # characters of a cell that is text and no number


class Html(str):
    """Text that a notebook shows as HTML and a terminal as it is."""

    def _repr_html_(self) -> str:
        return str(self)


def typeset(text: str) -> str:
    """Numbers as in print: −0.1 with a minus sign, 97.9 % with a space that does not break."""
    signed = re.sub(r"(?<![\w.-])-(?=\d)", "−", text)  # not in goodbooks-10k, nor in a date
    return re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", signed)


def provenance(source: str | dict, live: bool = False) -> str:
    """One plain line: a live run or stored result (from its manifest), or the paper."""
    if isinstance(source, str):
        return f"Source: {source}."
    data, config = source["data"], source["config"]
    return (
        f"{'Live run' if live else 'Stored results'}: {data['name']} "
        f"({data['users']:,} users × {data['items']:,} items, {data['interactions']:,} "
        f"interactions; {data['source'].rstrip('.')}; checksum {data['checksum'][:12]}); "
        f"split seed {config['split_seed']}, "
        f"training seeds {', '.join(map(str, config['seeds']))}; profile {config['profile']}"
        + (f"; {source['seconds']:.0f} s. " if source["seconds"] else ". ")
        + runs_note(source)
    )


def runs_note(manifest: dict) -> str:
    """Every run whose rows are shown: how many, when, with which code and on what machine."""
    shown = [run for run in manifest.get("runs", {}).values() if run.get("rows", 1)]
    return " ".join(f"{run_note(run, len(shown) > 1)}." for run in shown)


def run_note(run: dict, of_several: bool = False) -> str:
    """One run in a clause, without the full stop; what is not known of it is said to be unknown."""
    machine = run["machine"]
    where = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['device']}"
        if machine
        else "machine unknown"
    )
    clean = {True: "", False: " with uncommitted changes", None: ", unknown whether clean"}
    threads = "threads unknown" if run["threads"] is None else f"{run['threads']} threads"
    rows = f"{run['rows']} rows from the run of " if of_several else "Run of "
    return (
        f"{rows}{run['date']}: commit {run['commit']}{clean[run['clean']]}; {where}; {threads}; "
        f"torch {run['versions'].get('torch', 'unknown')}"
        + (f" ({run['note']})" if run.get("note") else "")
    )


def titled(manifest: dict, live: bool) -> str:
    """What a figure or table shows, for its title: the data, and whether it was run live."""
    return f"{data_name(manifest['data']['name'])}: {'live run' if live else 'stored results'}"


def human_size(size: float) -> str:
    """A number of bytes in the largest unit that leaves 1 or more."""
    power = 0
    while size >= 1024 and power < len(UNITS) - 1:
        size, power = size / 1024, power + 1
    return f"{size:,.1f} {UNITS[power]}" if power else f"{size:,.0f} {UNITS[power]}"


def data_name(name: str) -> str:
    """A data set as prose names it; one that the library does not know by its own name."""
    return dataset_info(name).short if name in datasets() else name


def difference_cell(mean: float, low: float, high: float) -> str:
    """A difference and its interval in one cell; the difference alone where there is none."""
    return f"{mean:+z.4f}" + ("" if pd.isna(low) else f" ({low:+z.4f} to {high:+z.4f})")


def notice(source: str | dict, live: bool = False) -> Html:
    """The provenance line as a paragraph: what a page shows first."""
    return Html(
        f'<p class="celsa-provenance"><small>{escape(provenance(source, live))}</small></p>'
    )


def results_table(rows: pd.DataFrame, source: str | dict, live: bool = False) -> Html:
    """Methods by bytes per item; "mean ± standard error over users"; bold as `best_rows` says.

    `source` is a manifest or the name of a source such as "the paper".
    """
    columns = [c for c in TITLES if c in rows and not rows[c].isna().all()]
    bold = best_rows(rows)
    body = []
    for position, (_, row) in enumerate(rows.iterrows()):
        cells = [
            f'<td class="celsa-{c.split()[0]}" '
            f'style="text-align:{"left" if c in TEXT_COLUMNS else "right"}">'
            f"{_strong(escape(_cell(row, c)), position in bold and c == 'ndcg@100')}</td>"
            for c in columns
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    narrow = 'style="white-space:normal"'  # the numbers need the width
    head = "".join(f"<th {narrow}>{escape(TITLES[c])}</th>" for c in columns)
    return Html(
        f'<table class="dataframe celsa-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>" + notice(source, live)
    )


# pandas' Styler would give every table an id and a <style>, and every cell three classes: half as
# many bytes of page again for the same cells.
def plain_table(table: pd.DataFrame, source: str | None = None) -> Html:
    """Any small table as HTML, everything in it escaped, whole numbers as 1,024, `typeset`.

    Cells of LONG text have a class of their own: on a page they may break, numbers may not, and
    a heading such as 1,024 B neither.
    """
    whole = dict.fromkeys(table.select_dtypes("integer"), "{:,}".format)
    html = table.to_html(
        index=False, border=0, escape=True, na_rep="", classes="celsa-table", formatters=whole
    )
    html = re.sub(r"<th>([\d,]+) B</th>", r"<th>\1&nbsp;B</th>", html)
    html = re.sub(r"(?<=<td>)[^<]+(?=</td>)", lambda cell: typeset(cell[0]), html)
    html = re.sub(f"<td>(?=[^<]{{{LONG},}}</td>)", '<td class="celsa-text">', html)
    return Html(html + (f"<p><small>{escape(source)}</small></p>" if source else ""))


def best_rows(rows: pd.DataFrame) -> set[int]:
    """Positions of the highest nDCG@100 of each size, where several methods have it, and of all
    that are within one standard error of that.
    """
    if "ndcg@100" not in rows:
        return set()
    chosen = set()
    for _, group in rows.reset_index(drop=True).groupby("budget_bytes"):
        best = group.loc[group["ndcg@100"].idxmax()]
        error = best.get("ndcg@100 ±", 0.0)
        near = group["ndcg@100"] >= best["ndcg@100"] - (0.0 if pd.isna(error) else error)
        chosen |= set(group.index[near]) if len(group) > 1 else set()
    return chosen


def _cell(row: pd.Series, column: str) -> str:
    value = row[column]
    if pd.isna(value):
        return "–"
    if column in NUMBER_FORMATS:
        return typeset(NUMBER_FORMATS[column].format(value))
    if column == "restart":
        return "yes" if value else "no"
    if column in METRICS:
        error = row.get(f"{column} ±")
        return f"{value:.3f}" if pd.isna(error) else f"{value:.3f} ± {error:.3f}"
    return str(value)


def _strong(text: str, on: bool) -> str:
    return f"<strong>{text}</strong>" if on else text
