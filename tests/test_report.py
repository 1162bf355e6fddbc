"""Tables and figures: escaped, told apart, and clear about where numbers come from."""

import re
from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stored_rows import method_row

from celsa_lib import report
from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.models.registry import METHODS
from celsa_lib.report.base import Report
from celsa_lib.report.figures import accuracy_by_size
from celsa_lib.report.paper import with_paper
from celsa_lib.report.statistics import choices
from celsa_lib.report.stored import REPORTS
from celsa_lib.report.style import OTHER_COLOUR, OTHER_MARK, colour, mark
from celsa_lib.report.tables import best_rows, provenance, results_table, typeset
from celsa_lib.results import Result, load_result, save_result

ROOT = Path(__file__).parents[1]
RUN = {
    "commit": "abc1234",
    "clean": False,
    "machine": {"cpu": "chip", "cores": 2, "memory_gib": 8.0, "device": "cpu"},
    "versions": {"torch": "2"},
    "threads": 2,
    "date": "2026-01-02 03:04 UTC",
}
MANIFEST = {
    "config": {"split_seed": 42, "seeds": [0], "profile": "laptop"},
    "data": {
        "name": "<b>set</b>",
        "users": 10,
        "items": 5,
        "interactions": 20,
        "source": "a & b.",
        "checksum": "ab" * 32,
    },
    "runs": {"first": RUN},
    "seconds": 12.0,
}
ROWS = [
    method_row(
        label=label,
        budget_bytes=size,
        params={"reg": 1.0},
        mean={"ndcg@100": value, "recall@20": value, "recall@50": value},
        stderr={"ndcg@100": 0.01, "recall@20": 0.01, "recall@50": 0.01},
    )
    for label, size, value in [
        ("<script>", 64, 0.2),
        ("Compressed ELSA", 64, 0.4),
        ("Compressed ELSA", 128, 0.5),
    ]
]

LINES = pd.DataFrame(
    {
        "label": row["label"],
        "budget_bytes": row["budget_bytes"],
        "ndcg@100": row["mean"]["ndcg@100"],
        "ndcg@100 ±": 0.01,
    }
    for row in ROWS
)


def test_marks_are_distinct_and_colours_where_classes_are():
    """What prunes the same matrix in several ways has one colour and a mark for each way."""
    labels = [method.label for method in METHODS] + ["no method"]
    assert len(set(map(mark, labels))) == len(labels)
    colours = {(m.colour, m.name, m.size, str(m.fixed.get("recipe"))) for m in METHODS}
    assert len(colours) == len({m.colour for m in METHODS})
    assert colour("no method") not in {m.colour for m in METHODS}
    assert (colour("no method"), mark("no method")) == (OTHER_COLOUR, OTHER_MARK)


def test_text_from_data_is_escaped():
    html = results_table(LINES, MANIFEST)
    assert "<script>" not in html
    assert "<b>set</b>" not in html
    assert "&lt;script&gt;" in html
    assert "a &amp; b" in html
    lists = report.side_by_side(["<i>"], one=pd.DataFrame({"title": ["<u>"]}))
    assert "<i>" not in lists
    assert "<u>" not in lists
    assert "<u>" not in report.plain_table(pd.DataFrame({"a": ["<u>"]}))


def test_a_plain_table_separates_thousands_and_lets_only_long_text_break():
    table = pd.DataFrame({"what": ["a line of words, longer than a number", None], "n": [1024, 8]})
    html = report.plain_table(table)
    assert '<td class="celsa-text">a line of words' in html
    assert "<td>1,024</td>" in html and "<td></td>" in html
    assert "<th>1,024&nbsp;B</th>" in report.plain_table(pd.DataFrame({"1,024 B": [0.4]}))


def test_words_are_on_the_left_and_numbers_on_the_right():
    rows = pd.DataFrame([{"schedule": "linear", "restart": True, "budget_bytes": 64}])
    html = results_table(rows, "the paper")
    assert re.findall(r"text-align:(\w+)", html) == ["left", "left", "right"]


def test_the_best_of_a_size_is_bold():
    html = results_table(LINES, MANIFEST)
    assert "<strong>0.400 ± 0.010</strong>" in html
    assert html.count("<strong>") == 1  # a size with one method has no winner
    near = LINES.assign(**{"ndcg@100": [0.391, 0.4, 0.5]})
    assert best_rows(near) == {0, 1}  # within one standard error, 0.01
    assert best_rows(near.assign(**{"ndcg@100": [0.389, 0.4, 0.5]})) == {1}
    assert best_rows(near[["label", "budget_bytes"]]) == set()


def test_numbers_are_typeset():
    space = "\N{NO-BREAK SPACE}"
    assert typeset("-0.1 [-0.2, +0.3], 97.9%") == f"−0.1 [−0.2, +0.3], 97.9{space}%"
    for kept in ("goodbooks-10k", "2026-11-25", "1e-05", "v1.0-2", "a - b"):
        assert typeset(kept) == kept
    html = report.plain_table(pd.DataFrame({"share": ["5%"], "minus": ["-1"]}), "ml-100k at 5%")
    assert f"<td>5{space}%</td>" in html and "<td>−1</td>" in html and "ml-100k at 5%" in html


@pytest.mark.parametrize(("live", "word"), [(True, "Live run"), (False, "Stored results")])
def test_provenance_says_where_numbers_come_from(live, word):
    line = provenance(MANIFEST, live)
    for part in (word, "abc1234 with uncommitted changes", "chip", "2026-01-02", "seed 42", "12 s"):
        assert part in line
    assert provenance("the paper") == "Source: the paper."


def test_every_run_of_a_result_is_named_with_its_rows():
    """Also one of which nothing is known; a run that computed none of the rows is left out."""
    old = {"commit": "old1234", "clean": None, "machine": {}, "versions": {}, "threads": None,
           "date": "unknown", "rows": 3}  # fmt: skip
    runs = {"old": old, "idle": RUN | {"rows": 0, "commit": "idle"}, "new": RUN | {"rows": 21}}
    line = provenance(MANIFEST | {"runs": runs})
    assert "3 rows from the run of unknown: commit old1234, unknown whether clean; " in line
    assert "machine unknown; threads unknown; torch unknown." in line
    assert "21 rows from the run of 2026-01-02 03:04 UTC: commit abc1234 with" in line
    assert "idle" not in line


def test_differences_have_a_column_for_each_study_that_is_stored(tmp_path):
    """0.6 − 0.5 for every user at 64 bytes; whole EASE has one size, and is in one study alone."""

    def study(name: str, *others: str):
        ours = method_row(label="Recommended setting", budget_bytes=64, hash="a")
        rows = [method_row(label=label, hash=label, budget_bytes=size) for label, size in others]
        values = {row["hash"]: np.full(9, 0.5) for row in rows} | {"a": np.full(9, 0.6)}
        save_result(Result(dict(MANIFEST), [ours, *rows], users=values), tmp_path / f"{name}.json")

    study("one", ("Pruned EASE", 64), ("EASE", 400))
    study("two", ("Pruned EASE", 64), ("Sparse MRF", 128))
    asked = {"1 item": "one", "2 items": "two", "3 items": "three"}
    html = report.differences(asked, 64, tmp_path)
    same = "+0.1000 (+0.1000 to +0.1000)"
    assert re.findall(r"<th>([^<]*)</th>", html)[1:] == ["1 item", "2 items"]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html)
    assert cells == ["pruned EASE", same, same, "whole EASE", same, "–"]
    assert "three.json" in str(report.differences({"3 items": "three"}, 64, tmp_path))


def test_seconds_of_a_path_are_those_of_all_its_sizes():
    """20 s for both sizes of one path; (4 + 6)/2 s for two seeds of a model trained alone."""
    path = {"budgets": [8, 16], "seconds": 20.0}
    rows = [method_row(budget_bytes=size, path=path) for size in (64, 128)]
    alone = {"label": "Pruned EASE", "budget_bytes": 64}
    rows += [method_row(**alone, seed=seed, seconds_fit=4.0 + 2 * seed) for seed in (0, 1)]
    html = report.shown(Result(dict(MANIFEST), rows)).seconds()
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html)
    assert cells == [
        *("Compressed ELSA", "64", "20", "64 and 128 bytes"),
        *("Compressed ELSA", "128", "20", "64 and 128 bytes"),
        *("Pruned EASE", "64", "5", "64 bytes"),
    ]


def test_the_papers_numbers_stand_in_their_own_column():
    rows = with_paper(LINES, "ml-20m")
    assert rows["paper ndcg@100"].tolist()[1:] == [0.379, 0.399]
    assert "paper ndcg@100" not in with_paper(LINES, "ml-100k")
    assert len(report.paper_table("goodbooks-10k")) == 22


def test_the_figure_has_units_log_bytes_and_error_bars():
    figure = accuracy_by_size(LINES, title="t")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert "bytes" in axes.get_xlabel()
    assert axes.get_ylabel() == "nDCG@100"
    assert len(axes.containers) == 2
    assert figure.get_facecolor() == (1, 1, 1, 1)


def test_the_report_is_small_and_every_name_is_on_a_page():
    code = "".join(path.read_text() for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert len(report.__all__) <= 30
    for name in set(report.__all__) - {"paper_numbers"}:  # the paper's numbers, for readers' own
        assert f"report.{name}" in code, name


def test_what_is_absent_says_so_whatever_is_asked_of_it(tmp_path):
    absent = report.stored("no", tmp_path)
    for asked in (
        absent.table(), absent.figure("step"), absent.frame(), absent.pairs("x").choices(),
        absent.variants("width").differences(), absent.notice(),
    ):  # fmt: skip
        assert "Stored results are not here" in asked._repr_html_()
        assert "celsa study no<" in repr(asked)
    assert "the data is not there" in report.shown(None).table()._repr_html_()
    assert not hasattr(absent, "_repr_png_")  # what a notebook looks for


def test_damaged_results_are_an_error(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(StorageError, match=r"bad\.json"):
        report.stored("bad", tmp_path)


def test_the_demo_varies_what_it_varies():
    with pytest.raises(ConfigError, match='"schedule" and "restart", or "width", not'):
        report.stored("ml-100k-widths", ROOT / "results").beside_demo()


def test_a_part_that_there_is_not_is_named():
    benchmark = report.stored("training-cost", ROOT / "results")
    with pytest.raises(ConfigError, match='no part "stpe"; it has step, hardware'):
        benchmark.table("stpe")
    nothing = report.shown(Result({"kind": "benchmark"}, []))
    with pytest.raises(ConfigError, match='no part "step"; it has none'):
        nothing.figure("step")
    with pytest.raises(ConfigError, match="by one of schedule, restart, width"):
        report.shown(Result(MANIFEST, ROWS)).variants("size")


BENCHMARKS = {  # the tables and figures that each has
    "training-cost": (
        ["step", "hardware", "hardware share", "width growth", "schedule", "memory"],
        ["step", "density", "growth"],
    ),
    "inference-cost": (["inference", "inference growth"], ["inference"]),
    "packed-cost": (["packed"], []),
    "engines": (["engines"], []),
    "bfloat16": (["bfloat16"], []),
    "cache-reads": (["cache reads"], []),
    "gpu-cost": (["gpu steps", "gpu trainings", "agreement"], ["gpu steps"]),
}


@pytest.mark.parametrize(("name", "parts"), BENCHMARKS.items())
def test_a_benchmark_shows_the_parts_it_has_and_names_them_for_any_other(name, parts):
    shown = report.stored(name, ROOT / "results")
    every = shown.TABLES, shown.FIGURES
    for ask, there, known in zip((shown.frame, shown.figure), parts, every, strict=True):
        for part in {*known, "zzz", ""}:
            if part in there or (there and not part):
                ask(part)
                continue
            has = f'no part "{part}"; it has {", ".join(there) or "none"}'
            with pytest.raises(ConfigError, match=has):
                ask(part)


@pytest.mark.parametrize("live", [True, False])
def test_every_table_and_figure_says_whether_it_was_run_live(live, tmp_path):
    result = Result(MANIFEST, ROWS)
    if not live:
        result = load_result(save_result(result, tmp_path / "x.json"))
    shown, source = report.shown(result), "live run" if live else "stored results"
    for page in (shown.notice(), shown.table(), shown.beside_paper()):
        assert ("Live run" if live else "Stored results") in page
    assert source in shown.choices() and source in shown.figure().axes[0].get_title()


def test_a_notebook_opened_in_its_folder_finds_the_results(tmp_path, monkeypatch):
    save_result(Result(MANIFEST, ROWS), tmp_path / "results" / "x.json")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert "there is no" not in report.stored("x").table()
    assert "Stored results: x" in report.sources(["x"])
    assert "there is no results/y.json" in repr(report.stored("y"))


@pytest.mark.parametrize(("chosen", "end"), [(1.0, "reg"), (2.0, ""), (3.0, "reg")])
def test_choices_say_what_was_tried(chosen, end):
    """A value of a grid of three can lie inside; of two each is an end."""
    pairs = [(reg, b) for reg in (3.0, 1.0, 2.0) for b in (5, 6)]
    trials = [{"choice": {"reg": reg, "b": b}, "ndcg@100": reg / 10} for reg, b in pairs]
    row = ROWS[0] | {"trials": trials, "params": {"reg": chosen, "b": 5}}
    (line,) = choices([row, ROWS[1]]).to_dict("records")
    assert line["chosen"] == f"reg = {chosen:g}, b = 5"
    assert line["from"] == "1 to 3 (3 values), 5 to 6 (2 values)"
    assert (line["best"], line["worst"]) == ("0.3000", "0.1000")
    assert line["at the edge"] == ", ".join(filter(None, (end, "b")))


@pytest.mark.parametrize("kind", REPORTS.values(), ids=lambda kind: kind.__name__)
def test_every_report_is_asked_for_its_lines_alike(kind):
    assert signature(kind.frame) == signature(Report.frame) and kind.TABLES
    with pytest.raises(ConfigError, match=f'{kind.__name__} has no part "else"; it has '):
        kind(Result(MANIFEST)).frame("else")
