"""A million items: rows made as real ones, measures of small ones, and their tables and figures."""

import sys
from pathlib import Path

import numpy as np
import pytest
from served_rows import histories_of, signed_rows

from celsa_lib import report
from celsa_lib.results import Result, load_result
from celsa_lib.retrieval import engines

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from real_rows import RealRows, statistics  # noqa: E402

MANIFEST = {"kind": "benchmark", "what": "made up", "seconds": 1}


@pytest.fixture(scope="module")
def real() -> RealRows:
    rows = signed_rows(300, width=64, nnz=8)
    return RealRows(rows.matrix, histories_of(rows, users=40, length=6), {"data": "made up"})


@pytest.fixture
def source(real, tmp_path):
    from million_source import Source

    Source.write(tmp_path, real.rows(700), real.users(30, 700))
    return Source(tmp_path, 700)


def row(contender, items, p50, recall=1.0, **more) -> dict:
    """A made-up contender at one size."""
    points = [{"p50": p50, "p99": 2 * p50, "recall": recall}]
    return {
        "section": "million items", "contender": contender, "items": items, "outcome": "measured",
        "p50": p50, "p99": 2 * p50, "asked": 200, "recall": recall, "users_per_second": 1 / p50,
        "memory_mib": 10.0, "build_seconds": 1.0, "points": points, **more,
    }  # fmt: skip


def made_up(largest=1_000_000) -> Result:
    rows = [row("celsa, exact", items, items * 1e-8) for items in (10_000, largest)]
    rows += [row("faiss HNSW, 256 dims", items, 1e-4, 0.992) for items in (10_000, largest)]
    rows += [row("qdrant-edge", 10_000, 1e-3, held=10_000), row("pgvector", largest, 2.0, asked=20)]
    unfinished = {"outcome": "not finished", "said": "not finished in 300 s"}
    rows.append(rows[0] | {"contender": "kannolo", "items": largest} | unfinished)
    rows.append({
        "section": "load", "contender": "qdrant-edge", "items": 10_000, "outcome": "measured",
        "seconds": 4.0, "rows_per_second": 2_500, "killed_at": 5_000, "repeated": 0,
    })  # fmt: skip
    about = {"nonzeros": 16.0, "touched_mib": 9.5367431640625}
    rows += [{"section": "rows", "contender": name, "items": items, "statistics": about}
             for name, items in (("real", 0), ("made", largest))]  # fmt: skip
    rows.append({"section": "hardware", "what": "copy", "rate": 10.0})
    equal = {"section": "equal accuracy", "what": "dense, 128 B", "source": "books"}
    rows.append(equal | {"value": 0.4, "reaches": False})
    return Result(MANIFEST | {"runs": {}}, rows)


def test_made_rows_are_as_real_ones(real, tmp_path):
    assert np.allclose(real.rows(200).toarray(), real.matrix[:200].toarray(), atol=1e-6)
    rows, users = real.rows(3_000), real.users(200, 3_000)
    assert rows.shape == (3_000, 64) and set(np.diff(rows.indptr)) == {8}
    assert rows.has_canonical_format and np.allclose(rows.multiply(rows).sum(axis=1), 1, atol=1e-5)
    made, stated = statistics(rows, users), statistics(real.matrix, real.histories)
    assert made["above zero"] == pytest.approx(stated["above zero"], abs=0.03)
    assert made["largest value"] == pytest.approx(stated["largest value"], abs=0.03)
    use = [np.bincount(m.indices, minlength=64) / m.nnz for m in (rows, real.matrix)]
    assert abs(use[0] - use[1]).max() < 0.006
    kept = np.mean([len(np.intersect1d(rows[i].indices, rows[i % 300].indices)) / 8
                    for i in range(300, 600)])  # fmt: skip
    assert 0.2 < kept < 0.5
    lengths = np.diff(users.indptr)
    assert users.shape == (200, 3_000) and set(lengths) == {6} and users.indices.max() >= 300
    again = RealRows.load(real.save(tmp_path / "real.npz"))
    assert np.allclose(again.matrix.toarray(), real.matrix.toarray(), atol=1e-3)
    assert (again.histories != real.histories).nnz == 0 and again.about == real.about


def test_the_stored_real_rows_have_the_size_that_is_said():
    real = RealRows.load()
    assert real.matrix.shape == (3_000, 4_096) and real.histories.shape == (1_500, 3_000)
    assert np.diff(real.matrix.indptr).max() == 16
    made = statistics(real.rows(12_000), real.users(100, 12_000))
    stated = statistics(real.matrix, real.histories)
    for name in ("nonzeros", "above zero", "of the most used hundredth of latents"):
        assert made[name] == pytest.approx(stated[name], rel=0.05), name


def test_contenders_find_the_best_of_their_own_rows(source):
    from million_contenders import CONTENDERS, missing
    from million_measures import asked, many, recall

    names = ["celsa, exact", "celsa, 4 bits, lists", "celsa, 8 bits, less effort"]
    names += [name for name in CONTENDERS if "flat" in name and not missing(name, None)]
    for name in names:
        contender = CONTENDERS[name](source)
        found, answers = asked(contender, 25, 10)
        assert found["asked"] == 25 and 0 < found["p50"] <= found["p99"] and len(answers) == 20
        least = 0.8 if "bits" in name else 1
        scores = contender.true_scores(20)
        assert least <= recall(scores, contender, answers) <= 1, name
        assert recall(scores, contender, [answer[:50] for answer in answers]) <= 0.5
        assert many(contender, 25, found["p50"], 1) > 0


@pytest.mark.slow
def test_a_load_that_is_killed_goes_on_and_a_second_run_measures_nothing(
    real, tmp_path, monkeypatch, capsys
):
    import million_items

    if "qdrant-edge" not in engines.available():
        pytest.skip("qdrant-edge-py is not installed")
    out = tmp_path / "million.json"
    file = real.save(tmp_path / "real.npz")
    monkeypatch.setattr(million_items, "FILE", file)
    monkeypatch.setattr(million_items.RealRows, "load", lambda: real)
    command = ["million_items.py", "--small", "--out", str(out), "--contenders"]
    monkeypatch.setattr(sys, "argv", [*command, "celsa, exact"])
    million_items.main()
    before = load_result(out)
    monkeypatch.setattr(sys, "argv", [*command, "celsa, exact", "qdrant-edge"])
    million_items.main()
    after = load_result(out)
    assert [r["digest"] for r in after.rows[: len(before.rows)]] == [
        r["digest"] for r in before.rows
    ]
    (load,) = after.select(section="load")
    assert (load["killed_at"], load["written_after"], load["repeated"]) == (10_000, 1_000, 0)
    (held,) = after.select(section="million items", contender="qdrant-edge")
    assert held["held"] == 11_000 and held["recall"] == 1
    million_items.main()
    assert load_result(out).rows == after.rows
    store = million_items.Store(out, after.manifest["settings"])
    store.drop(["qdrant-edge"], [11_000])
    assert store.lacks("load", "qdrant-edge", 11_000)
    assert not store.lacks("million items", "celsa, exact", 11_000)


def test_tables_by_hand():
    shown = report.shown(made_up())
    table = shown.frame("million items").set_index("implementation")
    assert table.loc["celsa, exact", "one user, median ms"] == "10"
    assert table.loc["kannolo", "outcome"] == "not finished in 300 s"
    assert table.loc["qdrant-edge", "outcome"].startswith("not measured yet: run benchmarks/")
    assert table.loc["pgvector", "99 %, ms"] == "4,000 of 20"
    growth = shown.frame("million growth").set_index("implementation")
    assert (
        growth.loc["celsa, exact", "growth"] == "100.0×" and growth.loc["pgvector", "growth"] == "–"
    )
    choice = shown.frame("million choice").set_index("if you want")
    assert choice["pick"].tolist() == ["celsa, exact"] * 4 + ["faiss HNSW, 256 dims"]
    aims = shown.frame("million aims")
    assert aims["reached"].tolist() == ["no", "yes"]
    assert aims["measured"][1] == "10 ms; pgvector 2,000 ms"
    nearly = row("celsa, less effort", 1_000_000, 1.5e-4, 0.995, memory_mib=1.0)
    aims = report.shown(Result(shown.result.manifest, [*shown.result.rows, nearly]))
    assert aims.frame("million aims")["reached"].tolist() == ["no", "yes", "yes", "yes"]
    (load,) = shown.frame("load").to_dict("records")
    assert load["rows a second"] == "2,500" and load["there at the end"] == "10,000"
    (limit,) = shown.frame("million limits").to_dict("records")
    assert limit["read at that speed, ms"] == "1.00" and limit["relative time"] == "10.0×"
    accuracy = shown.frame("million accuracy").to_dict("list")
    assert accuracy["nDCG@100"] == ["0.4000"] and accuracy["stored in"] == ["books"]
    assert shown.frame("million rows")["real"].tolist() == ["16"]


@pytest.mark.parametrize("largest", [1_000_000, 100_000])
def test_figures_of_what_there_is(largest):
    shown = report.shown(made_up(largest))
    latency = shown.figure("million latency").axes[0]
    assert len(latency.lines) == 8
    assert f"{largest:,} items" in shown.figure("million recall").axes[0].get_title()
    memory, _ = shown.figure("million costs").axes
    assert [bar.get_width() for bar in memory.patches] == [10] * 3
    looks = [(line.get_color(), line.get_marker()) for line in latency.lines[::2]]
    assert len(set(looks)) == len(looks)
    without = Result(MANIFEST, [one for one in made_up().rows if one["section"] != "load"])
    assert report.shown(without).frame("load").empty
    if largest < 1_000_000:
        notes = shown.frame("million items")["outcome"]
        assert notes.str.startswith("not measured yet").all()
