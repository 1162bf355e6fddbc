"""Variants side by side: by hand, and from files in results/."""

import numpy as np
import pytest

from celsa_lib import report
from celsa_lib.report.tables import difference_cell
from celsa_lib.results import Result, save_result

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


@pytest.fixture
def stored(tmp_path):
    return save_result(ablation(), tmp_path / "schedules.json")


def test_seeds_are_averaged_and_order_is_kept():
    rows = ablation([("linear", True, 64, 0.2), ("linear", True, 64, 0.4)]).rows
    table = report.variants_table(rows, ["b", "b"])
    assert table.to_dict("records") == [
        {"variant": "b", "budget_bytes": 64, "ndcg@100": pytest.approx(0.3),
         "ndcg@100 ±": 0.01, "seeds": 2}
    ]  # fmt: skip
    rows = ablation([("linear", True, 128, 0.2), ("linear", True, 64, 0.1)] * 2).rows
    wide = report.side_by_side_table(report.variants_table(rows, ["z", "z", "a", "a"]))
    assert list(wide.columns) == ["variant", "128 B", "64 B"]
    assert wide["variant"].tolist() == ["z", "a"]


def test_variants_have_names():
    names = [report.variant(row) for row in ablation().rows]
    assert names[:2] == ["exponential, restart", "exponential, continue"]
    assert names[-1] == "constant"


def test_dead_latents_are_counted_at_the_end(stored):
    table = report.active_table(ablation().rows, list("abcdefg"))
    assert table["active"].tolist() == [8] * 6 + [6]
    assert table["dead"].tolist() == ["0.0%"] * 6 + ["25.0%"]
    assert "25.0\N{NO-BREAK SPACE}%" in report.active_results(stored)
    assert report.stored_active_figure(stored).axes[0].get_ylabel() == "latents in use"


def test_differences_are_by_user(stored):
    linear = {"schedule": "linear", "restart": True}
    table = report.against(stored, {"schedule": "constant"}, [linear])
    (line,) = table.to_dict("records")
    assert line["difference"] == "+0.1500" and line["clear"] == "yes"
    assert line["variant"] == "linear, restart" and line["minus"] == "constant"
    restarts = report.restart_differences(stored)
    assert restarts["difference"].tolist() == ["+0.0200", "+0.0000", "-0.0100"]
    assert restarts["clear"].tolist() == ["yes", "no", "yes"]


def test_a_single_user_gives_a_difference_without_an_interval(tmp_path):
    alone = ablation()
    alone.users = {key: values[:1] for key, values in alone.users.items()}
    path = save_result(alone, tmp_path / "alone.json")
    linear = {"schedule": "linear", "restart": True}
    (line,) = report.against(path, {"schedule": "constant"}, [linear]).to_dict("records")
    assert line["difference"] == "+0.1500" and line["95 % interval"] == "–"
    assert line["clear"] == "no"
    assert difference_cell(0.15, float("nan"), float("nan")) == "+0.1500"
    assert difference_cell(0.15, 0.1, 0.2) == "+0.1500 [+0.1000, +0.2000]"


def test_widths_are_compared_with_the_next_smaller(tmp_path):
    both = ablation([("exponential", True, 64, 0.2)], width=8)
    wider = ablation([("exponential", True, 64, 0.3)], width=16)
    wider.rows[0]["hash"] = "wide"
    result = Result(MANIFEST, both.rows + wider.rows,
                    users=both.users | {"wide": wider.users["0"]})  # fmt: skip
    path = save_result(result, tmp_path / "widths.json")
    (line,) = report.width_differences(path).to_dict("records")
    assert (line["variant"], line["minus"]) == ("width 16", "width 8")
    assert line["difference"] == "+0.1000"
    assert len(report.ablation_figure(path, "width").axes[0].lines) == 2


@pytest.mark.parametrize("names, restarted, lines", [("schedule", True, 4), ("variant", False, 7)])
def test_a_line_a_variant(stored, names, restarted, lines):
    assert len(report.ablation_figure(stored, names, restarted).axes[0].lines) == lines


def test_the_line_of_dense_elsa_is_the_mean_over_seeds(tmp_path):
    result = ablation()
    assert report.dense_level(result) is None
    result.rows += [
        result.rows[0] | {"method": "ELSA", "mean": {"ndcg@100": value}} for value in (0.3, 0.5)
    ]
    assert report.dense_level(result) == pytest.approx(0.4)
    path = save_result(result, tmp_path / "dense.json")
    *_, dense = report.ablation_figure(path, "variant").axes[0].lines
    assert dense.get_ydata() == pytest.approx([0.4, 0.4])


def test_without_the_file_a_note_or_nothing(tmp_path):
    path = tmp_path / "none.json"
    for shown in (
        report.ablation_figure(path, "width"),
        report.active_results(path),
        report.stored_active_figure(path),
        report.stored_deviations(path),
        report.study_pairs(path, "Compressed ELSA"),
        report.study_choices(path),
    ):
        assert "celsa study none" in shown
    assert report.against(path, {}, []).empty and report.width_differences(path).empty
    assert report.restart_differences(path).empty
