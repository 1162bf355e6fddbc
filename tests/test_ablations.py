"""Variants side by side, by hand."""

import re

import numpy as np
import pytest

from celsa_lib import report
from celsa_lib.report.ablations import Variants, name_by_parts, sizes_across
from celsa_lib.report.supports import variant_against
from celsa_lib.report.tables import difference_cell
from celsa_lib.results import Result

RUN = {
    "commit": "abc1234",
    "clean": True,
    "machine": {"cpu": "chip", "cores": 2, "memory_gib": 8.0, "device": "cpu"},
    "versions": {"torch": "2"},
    "threads": 2,
    "date": "2026-01-02 03:04 UTC",
}
MANIFEST = {
    "config": {"split_seed": 42, "seeds": [0], "profile": "laptop"},
    "data": {
        "name": "set",
        "users": 10,
        "items": 5,
        "interactions": 20,
        "source": "somewhere",
        "checksum": "ab" * 32,
    },
    "runs": {"first": RUN},
    "seconds": 12.0,
}
VARIANTS = [
    ("exponential", True, 64, 0.40),
    ("exponential", False, 64, 0.38),
    ("linear", True, 64, 0.35),
    ("linear", False, 64, 0.35),
    ("step-wise", True, 64, 0.30),
    ("step-wise", False, 64, 0.31),
    ("constant", False, 64, 0.20),
]


def ablation(variants=VARIANTS, width=8) -> Result:
    """One row per variant; every user of a row has about its mean."""
    rows, users = [], {}
    for i, (schedule, restart, size, value) in enumerate(variants):
        params = {"schedule": schedule, "restart": restart, "width": width, "epochs": 1}
        means = dict.fromkeys(("ndcg@100", "recall@20", "recall@50"), value)
        rows.append(
            {
                "hash": str(i),
                "method": "CompressedELSA",
                "label": "Compressed ELSA",
                "budget_bytes": size,
                "params": params,
                "seed": 0,
                "trials": [],
                "mean": means,
                "stderr": dict.fromkeys(means, 0.01),
                "seconds": 1.0,
                "history": [[8, 8, 0.1], [size // 8, 6 if schedule == "constant" else 8, 0.1]],
            }
        )
        users[str(i)] = np.full(50, value) + np.linspace(-0.05, 0.05, 50)
    return Result(MANIFEST, rows, users=users)


def variants(by: str, result: Result | None = None) -> Variants:
    return report.shown(result or ablation()).variants(by)


def lines_of(table: str) -> list[list[str]]:
    """The cells of a table, line by line, without the signs and spaces of print."""
    body = table.replace("−", "-").replace("\N{NO-BREAK SPACE}", " ")
    rows = re.findall("<tr>(.*?)</tr>", body.split("<tbody>")[1], re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def test_seeds_are_averaged_and_order_is_kept():
    twice = ablation([("linear", True, 64, 0.2), ("linear", True, 64, 0.4)])
    (line,) = variants("schedule", twice).frame().to_dict("records")
    assert line == {"variant": "linear", "budget_bytes": 64, "ndcg@100": pytest.approx(0.3)}
    shapes = [("step-wise", True, 128, 0.2), ("step-wise", True, 64, 0.1),
              ("linear", True, 128, 0.3)]  # fmt: skip
    wide = sizes_across(variants("schedule", ablation(shapes)).frame())
    assert list(wide.columns) == ["variant", "128 B", "64 B"]
    assert wide.to_numpy().tolist() == [
        ["step-wise", "0.2000", "0.1000"], ["linear", "0.3000", "–"]
    ]  # fmt: skip


def test_variants_have_names():
    names = variants("restart").frame()["variant"].tolist()
    assert names[:2] == ["exponential, restart", "exponential, continue"]
    assert names[-1] == "constant" and len(names) == 7
    restarted = ["exponential", "linear", "step-wise", "constant"]
    assert variants("schedule").frame()["variant"].tolist() == restarted
    assert set(variants("width").frame()["variant"]) == {"width 8"}


def test_dead_latents_are_counted_at_the_end_and_at_the_smallest_size():
    shown = variants("restart", ablation([*VARIANTS, ("linear", True, 128, 0.4)]))
    assert shown.active()["active"].tolist() == [8] * 6 + [6]
    assert shown.active()["dead"].tolist() == ["0.0%"] * 6 + ["25.0%"]
    assert "25.0\N{NO-BREAK SPACE}%" in shown.active_table()


def test_the_papers_curves_are_dashed_where_the_data_are_of_its_set():
    """A colour for what both have; a name in the legend for what only the paper has."""
    books = MANIFEST | {"data": MANIFEST["data"] | {"name": "goodbooks-10k-partial"}}
    result = ablation(width=2048)
    result = Result(books, result.rows, users=result.users)
    axes = variants("schedule", result).figure().axes[0]
    styles = [line.get_linestyle() for line in axes.lines]
    assert styles == ["-"] * 4 + ["--"] * 4
    colours = [line.get_color() for line in axes.lines]
    assert sorted(colours[:4]) == sorted(colours[4:]) and len(set(colours)) == 4
    assert max(axes.lines[4].get_ydata()) > 0.48  # the paper's, at 1,024 bytes
    named = variants("width", result).figure().axes[0].get_legend_handles_labels()[1]
    assert named == ["width 2,048", *(f"width {w} (paper)" for w in ("8,192", "6,144", "4,096"))]
    assert len(variants("restart", result).figure().axes[0].lines) == 14
    assert not [line for line in variants("schedule").figure().axes[0].lines
                if line.get_linestyle() == "--"]  # fmt: skip


def test_differences_are_by_user():
    to_constant = lines_of(variants("schedule").differences())
    assert [line[:4] for line in to_constant] == [
        ["exponential", "constant", "64", "+0.2000"],
        ["linear", "constant", "64", "+0.1500"],
        ["step-wise", "constant", "64", "+0.1000"],
    ]
    restarts = lines_of(variants("restart").differences())
    assert [line[3] for line in restarts] == ["+0.0200", "+0.0000", "-0.0100"]
    assert [line[-1] for line in restarts] == ["better", "n.s.", "worse"]


def test_differences_are_of_sizes_that_both_have():
    result = ablation([v for v in VARIANTS if v[:2] != ("linear", False)])
    table = variants("restart", result).differences()
    assert "exponential" in table and "linear" not in table
    rows = [row for row in result.rows if row["params"]["schedule"] != "constant"]
    for row in rows[::2]:
        row["params"] |= {"width": 16}
    rows[0]["budget_bytes"] = 4096
    lines = lines_of(variants("width", Result(result.manifest, rows, users=result.users))
                     .differences())  # fmt: skip
    assert "4,096" not in str(lines)


def test_a_single_user_gives_a_difference_without_an_interval():
    alone = ablation()
    alone.users = {key: values[:1] for key, values in alone.users.items()}
    line = lines_of(variants("schedule", alone).differences())[1]
    assert line[3:] == ["+0.1500", "–", "n.s."]
    assert difference_cell(0.15, float("nan"), float("nan")) == "+0.1500"
    assert difference_cell(0.15, 0.1, 0.2) == "+0.1500 (+0.1000 to +0.2000)"


def test_widths_are_compared_with_the_next_smaller():
    both = ablation([("exponential", True, 64, 0.2)], width=8)
    wider = ablation([("exponential", True, 64, 0.3)], width=16)
    wider.rows[0]["hash"] = "wide"
    result = Result(MANIFEST, both.rows + wider.rows,
                    users=both.users | {"wide": wider.users["0"]})  # fmt: skip
    (line,) = lines_of(variants("width", result).differences())
    assert line[:4] == ["width 16", "width 8", "64", "+0.1000"]
    assert len(variants("width", result).figure().axes[0].lines) == 2


@pytest.mark.parametrize("by, lines", [("schedule", 4), ("restart", 7)])
def test_a_line_per_variant(by, lines):
    assert len(variants(by).figure().axes[0].lines) == lines


def test_the_line_of_dense_elsa_is_the_mean_over_seeds():
    result = ablation()
    result.rows += [
        result.rows[0] | {"label": "ELSA", "mean": {"ndcg@100": value}} for value in (0.3, 0.5)
    ]
    *_, dense = variants("restart", result).figure().axes[0].lines
    assert dense.get_ydata() == pytest.approx([0.4, 0.4])
    assert "dense ELSA of width 8 has 0.4000; set: live run" in variants("restart", result).table()


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"recipe": "recommended"}, "Recommended setting"),
        ({"recipe": "recommended", "dropout": 0.0}, "Recommended setting without input dropout"),
        ({"recipe": "recommended", "floor": 1}, "Recommended setting without a floor"),
        ({"recipe": "recommended", "floor": 8}, "Recommended setting without one budget"),
        (
            {"recipe": "recommended", "floor": 8, "dropout": 0.0, "cosine_decay": False}
            | {"length_exponent": 0.0}
            | {"weight_averaging": 0.0, "scales": False, "non_negative": False},
            "Recommended setting with anchored rows alone",
        ),
        ({"width": 64}, "Compressed ELSA"),
        ({"width": 64, "support": "moving"}, "Compressed ELSA with a moving support"),
        ({"width": 64, "dropout": 0.5}, "Compressed ELSA with input dropout"),
    ],
)
def test_parts_have_names(params, name):
    assert name_by_parts(params | {"nnz": 8}) == name


def test_each_change_of_parts_is_held_against_the_whole_that_it_changes():
    changes = [
        (0.3, {}), (0.31, {"dropout": 0.5}),
        (0.4, {"recipe": "recommended"}), (0.35, {"recipe": "recommended", "dropout": 0.0}),
    ]  # fmt: skip
    result = ablation([("exponential", True, 64, value) for value, _ in changes])
    for row, (_, change) in zip(result.rows, changes, strict=True):
        row["params"] = {"nnz": 8} | change
        row["label"] = "Recommended setting" if "recipe" in change else "Compressed ELSA"
    lines = lines_of(variants("part", result).differences())
    assert [line[:2] for line in lines] == [
        ["Compressed ELSA with input dropout", "Compressed ELSA"],
        ["Recommended setting without input dropout", "Recommended setting"],
    ]
    assert [line[3] for line in lines] == ["+0.0100", "-0.0500"]


SUPPORTED = [
    (0.3, {}, "pruned"),
    (0.31, {"support": "moving"}, "moving, straight through"),
    (0.32, {"schedule": "constant", "regrowth": 0.3}, "random, regrown"),
    (0.4, {"support": "anchored"}, "anchored"),
    (0.39, {"support": "anchored", "regrowth": 0.3}, "anchored, regrown"),
    (0.5, {"recipe": "recommended"}, "Recommended setting"),
    (0.45, {"recipe": "recommended", "regrowth": 0.1}, "Recommended setting, regrown"),
]


def test_supports_have_names_and_regrown_ones_are_held_against_the_others():
    """Those of a recipe against those of the same."""
    result = ablation([("exponential", True, 64, value) for value, *_ in SUPPORTED])
    for row, (_, params, _) in zip(result.rows, SUPPORTED, strict=True):
        row["params"] = {"nnz": 8} | params
    supports = variants("support", result)
    assert [supports.name(row) for row in result.rows] == [name for *_, name in SUPPORTED]
    lines = lines_of(supports.differences())
    beside = ["pruned", "moving, straight through", "anchored"]
    assert [line[:2] for line in lines] == [
        *(["random, regrown", other] for other in beside),
        *(["anchored, regrown", other] for other in beside),
        ["Recommended setting, regrown", "Recommended setting"],
    ]
    assert [line[3] for line in lines][2:] == [
        "-0.0800",
        "+0.0900",
        "+0.0800",
        "-0.0100",
        "-0.0500",
    ]
    (check,) = variant_against(result, "anchored, regrown", "anchored")
    assert check.what == "64 B" and check.difference.mean == pytest.approx(-0.01)
    assert not variant_against(result, "anchored, regrown", "another")
