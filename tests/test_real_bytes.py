"""Accuracy against real bytes: the forms that models are stored in, the study, what is shown."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored_rows import method_row

import celsa_lib as cl
from celsa_lib import report
from celsa_lib.errors import ConfigError
from celsa_lib.experiments import real_bytes, run_real_bytes
from celsa_lib.experiments.real_bytes import forms_of, plain_bytes, real_bytes_config
from celsa_lib.experiments.task import prepare
from celsa_lib.experiments.verify import verify
from celsa_lib.models import PrunedEASE
from celsa_lib.models.registry import BY_LABEL, METHODS, RECOMMENDED
from celsa_lib.report.real_bytes import LINES, PACKED, at_equal_bytes, curve, users_at
from celsa_lib.results import BYTES, PLAIN, Result, load_result, save_result
from celsa_lib.retrieval import dense_codes
from celsa_lib.retrieval.dense_codes import CODES, OF_FAISS, binary, half, unit

DENSE = "Low-dim ELSA, regularised"


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("real-bytes") / "synthetic-bytes.json"


@pytest.fixture(scope="module")
def result(path) -> Result:
    return run_real_bytes("synthetic", "smoke", path)


@pytest.fixture
def rows() -> np.ndarray:
    return unit(np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32))


# Codes of dense rows


def test_signs_and_halves_by_hand():
    row = np.array([[0.6, -0.8, 0, 0, 0, 0, 0, 0, 0]], np.float32)
    found = binary(row)
    assert found.bytes_per_item == 2  # nine signs
    assert found.rows[0].tolist() == pytest.approx([1 / 3, *8 * [-1 / 3]])
    found = half(row)
    assert found.bytes_per_item == 18
    assert np.allclose(found.rows, row, atol=5e-4) and (found.rows != row).any()


def test_a_row_of_zeros_stays():
    assert unit(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


def test_codes_of_faiss(rows):
    """Two code books of 256 rows of 4 float16 for 8 values; eight of 16 of 2 for 16 values."""
    pytest.importorskip("faiss")
    few, many = (
        OF_FAISS[name](rows) for name in ("PQ, 2 values in 4 bits", "PQ, 4 values in 8 bits")
    )
    assert few.bytes_per_item == 16 / 4 + 8 * 16 * 2 * 2 / 300
    assert many.bytes_per_item == 16 / 4 + 4 * 256 * 4 * 2 / 300
    signs = OF_FAISS["RaBitQ"](rows)
    assert signs.bytes_per_item == 16 / 8 + 8 + 4 * 16 / 300
    lost = [((coded.rows - rows) ** 2).sum() for coded in (many, few, signs)]
    assert lost == sorted(lost) and lost[-1] < 0.5 * len(rows)
    for coded in (few, many, signs):
        assert np.allclose(np.linalg.norm(coded.rows, axis=1), 1, atol=1e-5)


def test_without_faiss_its_codes_are_left_out(
    monkeypatch, rows, histories, result, path, tmp_path, caplog
):
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert not dense_codes.has_faiss()
    for code in OF_FAISS.values():
        with pytest.raises(ConfigError, match=r'faiss-cpu: pip install "celsa\[bench\]"'):
            code(rows)
    model = cl.ELSA(8, recipe="recommended", epochs=1, progress=False).fit(histories)
    assert not forms_of(model, Path()).keys() & OF_FAISS.keys()
    save_result(replace(result, path=None), tmp_path / path.name)
    again = run_real_bytes("synthetic", "smoke", tmp_path / path.name)
    assert [row["hash"] for row in again.rows] == [row["hash"] for row in result.rows]
    assert "faiss-cpu is not installed: left out are PQ, " in caplog.text


# The study


def test_every_model_is_stored_in_every_form(result):
    """All methods of the study but one without rows; what has nonzeros is not stored densely."""
    sparse = {PLAIN, "3 bits", "4 bits", "8 bits"}
    dense = sparse | CODES.keys() | (OF_FAISS.keys() if dense_codes.has_faiss() else set())
    expected = {
        "EASE": {PLAIN},
        "EDLAE": {PLAIN},
        "ELSA": dense,
        "ELSA, regularised": dense,
        "Low-dim ELSA": dense,
        DENSE: dense,
    }
    labels = {method.label for method in METHODS if not method.package}
    assert {row["label"] for row in result.rows} == labels - {"Popularity", "Released embeddings"}
    forms: dict[str, set] = {}
    for row in result.rows:
        forms.setdefault(row.get("model", row["hash"]), set()).add(row["form"])
    for model in result.select(form=PLAIN):
        assert forms[model["hash"]] == expected.get(model["label"], sparse)
    assert len(forms) == len(result.select(form=PLAIN))
    assert set(result.users) == {row["hash"] for row in result.rows}
    assert result.kind == BYTES and result.manifest["seconds"] > 0


def test_rows_are_what_their_files_give(result, tmp_path):
    config = real_bytes_config("synthetic", "smoke")
    _, task = prepare(config)
    for label, model in (
        (RECOMMENDED, cl.CompressedELSA(nnz=8, recipe="recommended", seed=0, progress=False)),
        ("EASE, threshold, refitted", PrunedEASE(100.0, 8, "matrix", refit=True)),
        (DENSE, cl.ELSA(16, recipe="recommended", seed=0, progress=False)),
    ):
        model.fit(task.fit, task.item_ids)
        rows = model if label.startswith("EASE") else model.item_embeddings
        size = {"width": 16} if label == DENSE else {"nnz": 8}
        for bits in (3, 4, 8):
            packed = rows.pack(bits, tmp_path / "rows")
            (row,) = result.select(label=label, form=f"{bits} bits", **size)
            assert row["bytes_per_item"] == pytest.approx(packed.bytes_per_item, abs=0.005)
            found = cl.evaluate(packed, task.folds)
            assert row["mean"]["ndcg@100"] == pytest.approx(found.mean["ndcg@100"], abs=1e-4)
            assert row["mean"]["recall@50"] == pytest.approx(found.mean["recall@50"], abs=1e-3)
        (row,) = result.select(label=label, form=PLAIN, **size)
        assert row["bytes_per_item"] == pytest.approx(plain_bytes(model), abs=0.005)


def test_what_is_stored_is_not_computed_again(result, path, tmp_path, monkeypatch):
    kept = tmp_path / path.name
    save_result(replace(result, path=None), kept)
    measured = []
    monkeypatch.setattr(
        real_bytes._Forms, "add",
        lambda self, row, model, add=real_bytes._Forms.add: (measured.append(row["hash"]),
                                                             add(self, row, model)),
    )  # fmt: skip
    again = run_real_bytes("synthetic", "smoke", kept)
    assert measured == [] and again.rows == load_result(kept).rows == load_result(path).rows
    changed = load_result(kept)
    edited = next(row for row in changed.rows if row["form"] == "3 bits")
    kept.write_text(kept.read_text().replace(edited["hash"], "f" * 16))
    again = run_real_bytes("synthetic", "smoke", kept)
    assert measured == [edited["model"]]
    assert [row["mean"] for row in again.rows] == [row["mean"] for row in result.rows]


def test_choices_of_table_1_are_not_tried_again(monkeypatch, tmp_path, result):
    table = tmp_path / "synthetic.json"
    monkeypatch.setattr(real_bytes, "stored_at", lambda name: table)
    assert real_bytes._trials_of("synthetic") == {}
    save_result(Result(result.manifest, trials={"a": 0.5}), table)
    assert real_bytes._trials_of("synthetic") == {"a": 0.5}


def test_a_row_is_verified(result, path):
    found = verify(path)
    assert found.holds and found.rows == len(result.rows)
    assert found.recomputed.what.startswith("Recommended setting, 4 bits, ")


# What is shown


def small(ours: dict[float, float], theirs: dict[float, float]) -> Result:
    """Curves of the recommended setting and of pruned EASE: nDCG@100 of all users by size."""
    found = Result({"data": {"name": "synthetic"}, "config": {"seeds": [0]}})
    for label, sizes in ((RECOMMENDED, ours), ("Pruned EASE", theirs)):
        for size, value in sizes.items():
            mean = {"ndcg@100": value, "recall@20": value, "recall@50": value}
            found.rows.append(method_row(
                hash=f"{label} {size}", label=label, form=PACKED, bytes_per_item=float(size),
                params={"nnz": size}, mean=mean,
            ))  # fmt: skip
            found.users[f"{label} {size}"] = value + np.array([-0.1, 0, 0.1])
    return found


def test_a_curve_between_its_sizes():
    """Halfway from 10 to 40 bytes in their logarithm lies 20."""
    points = curve(small({}, {40: 0.6, 10: 0.2}), "Pruned EASE")
    assert [point.size for point in points] == [10, 40]
    for size, value in ((10, 0.2), (20, 0.4), (40, 0.6)):
        assert users_at(points, size) == pytest.approx([value - 0.1, value, value + 0.1])
    assert users_at(points, 9.9) is users_at(points, 41) is users_at([], 10) is None


def test_checks_are_made_at_the_same_bytes():
    result = small({5: 0.9, 14.4: 0.5, 20: 0.41, 40: 0.5}, {10: 0.2, 40: 0.6})
    checks = at_equal_bytes(result, "Pruned EASE")
    assert [check.what for check in checks] == ["5 B", "14 B", "20 B", "40 B"]
    assert [check.outcome for check in checks] == ["not tested", "holds", "holds", "contradicted"]
    assert checks[2].difference.mean == pytest.approx(0.01)
    result.rows += [method_row(hash="EASE", label="EASE", form=PLAIN, bytes_per_item=400.0)]
    result.users["EASE"] = np.array([0.4, 0.5, 0.6])
    outcomes = [check.outcome for check in at_equal_bytes(result, "EASE")]
    assert outcomes == ["holds", "undecided", "contradicted", "undecided"]
    result.rows += [method_row(hash="ELSA", label="ELSA", form=PACKED, bytes_per_item=400.0)]
    result.users["ELSA"] = np.array([0.0, 0.1, 0.2])
    assert {check.outcome for check in at_equal_bytes(result, "ELSA")} == {"holds"}
    assert {check.outcome for check in at_equal_bytes(result, "ELSA + SAE")} == {"not tested"}


def test_seeds_are_taken_together():
    found = small({}, {10: 0.2})
    other = found.rows[0] | {"hash": "b", "seed": 1, "bytes_per_item": 12.0}
    found.rows.append(other)
    found.users["b"] = np.array([0.3, 0.4, 0.5])
    (point,) = curve(found, "Pruned EASE")
    assert point.size == 11 and point.users == pytest.approx([0.2, 0.3, 0.4])


def test_the_figure_has_the_colours_of_the_registry(result):
    shown = report.shown(result)
    figure = shown.figure()
    (axes,) = figure.axes
    lines = {item.get_label(): item.lines[0] for item in axes.containers}
    assert {RECOMMENDED, DENSE, "EASE", f"{DENSE}, binary"} <= lines.keys()
    for label, line in lines.items():
        name = next(n for n in sorted(BY_LABEL, key=len, reverse=True) if label.startswith(n))
        assert line.get_color() == BY_LABEL[name].colour
        assert line.get_marker() == BY_LABEL[name].marker
        form = next((f for f, (_, told) in LINES.items() if name + told == label))
        assert line.get_linestyle() == ("None" if name in ("EASE", "EDLAE") else LINES[form][0])
    assert axes.get_xscale() == "log" and "file" in axes.get_xlabel()


def test_tables(result):
    shown = report.shown(result)
    assert len(shown.frame()) == len(result.rows)
    assert "PQ" not in shown.pairs() and "Pruned EASE" in shown.pairs()
    assert "4 bits" in shown.table() and "Recall@50" in shown.table()
