"""The benchmarks measure what they say, and their pages compute from what is stored."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from celsa_lib import report
from celsa_lib.report.cost import gpu_ratios, gpu_sizes, hardware_share, packed_table, step_ratios
from celsa_lib.report.rounded import rounded_gains, rounded_table
from celsa_lib.results import Result, load_result
from celsa_lib.training import unit_rows

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from contenders import Celsa, Compresso, MaskedDense  # noqa: E402
from processes import take_turns  # noqa: E402
from workload import Case  # noqa: E402

SMALL = Case(nnz=4, items=60, users=24, history=5, width=16)


def test_a_case_has_the_sizes_it_names():
    X, rows = SMALL.interactions(), SMALL.rows()
    assert X.shape == (24, 60) and set(np.diff(X.indptr)) == {5}
    assert all(len(set(X[user].indices)) == 5 for user in range(24))
    assert rows.cols.shape == (60, 4) and all(len(set(r)) == 4 for r in rows.cols.tolist())
    counts = np.asarray(Case(items=500, users=400, history=20).interactions().sum(axis=0)).ravel()
    assert counts[:50].sum() > 2 * counts[-50:].sum()


def test_contenders_make_the_same_step():
    ours, formula = Celsa(SMALL), MaskedDense(SMALL)
    start = unit_rows(formula.A.detach() * formula.mask)
    for contender in (ours, formula):
        contender.step()
    A = unit_rows(formula.A.detach() * formula.mask)
    found = torch.from_numpy(ours.trainer.result().to_csr().toarray())
    assert (A - start).abs().max() > 0.01
    torch.testing.assert_close(found, A, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("backend", ["dense", "coo", "mask search"])
def test_the_authors_package_steps_on_the_same_support(backend, capsys):
    pytest.importorskip("compresso_recsys")
    contender = Compresso(SMALL, backend)
    contender.step()
    if backend != "mask search":
        cols = contender.trainer.elsa.sparse_A.cols
        assert torch.equal(cols, SMALL.rows().cols.long())


def test_contenders_take_turns_in_processes_of_their_own():
    from contenders import make

    found = take_turns(["celsa", "masked dense torch"], make, (SMALL,), 2)
    assert found["celsa"]["n"] == 6 and found["masked dense torch"]["n"] == 2
    for times in found.values():
        assert 0 < times["low"] <= times["seconds"] <= times["high"] and times["peak_gib"] > 0.05


def fake_rows() -> Result:
    size = {"nnz": 8, "width": 64, "gflop": 2.0, "low": 1.0, "high": 1.0}
    times = {
        "celsa": 0.1,
        "masked dense torch": 5.0,
        "compresso, dense": 4.0,
        "compresso, coo": 2.0,
    }
    steps = [
        {"section": "step", "contender": name, "seconds": seconds, **size}
        for name, seconds in times.items()
    ]
    return Result({}, [*steps, {"section": "hardware", "what": "product float32", "rate": 100.0}])


def test_ratios_and_shares_by_hand():
    ratio = step_ratios(fake_rows()).iloc[0]
    assert ratio["masked dense torch"] == pytest.approx(50)
    assert ratio["compresso, best"] == pytest.approx(20) and ratio["which"] == "compresso, coo"
    share = hardware_share(fake_rows()).iloc[0]
    assert share["GFLOP/s"] == 20 and share["share"] == "20%"


@pytest.mark.parametrize(
    "name",
    [
        "training-cost",
        "inference-cost",
        "packed-cost",
        "bfloat16",
        "rounded-epochs",
        "cache-reads",
        "gpu-cost",
        "engines",
    ],
)
def test_stored_benchmarks_say_where_they_were_measured(name):
    stored = load_result(ROOT / "results" / f"{name}.json")
    manifest, notice = stored.manifest, report.shown(stored).notice()
    assert stored.rows and {"runs", "what"} <= set(manifest)
    (run,) = manifest["runs"].values()
    assert run["machine"]["cpu"] in notice
    assert run["commit"] in notice
    assert not stored.changed_rows()


def test_packed_rows_are_measured_beside_those_in_memory():
    from packed_cost import measured

    rows = measured(SMALL, rounds=2, singles=3)
    assert [row["contender"] for row in rows] == [
        "CSR in memory", "8 bits in a file", "4 bits in a file", "3 bits in a file"
    ]  # fmt: skip
    sizes = [row["bytes_per_item"] for row in rows]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == round((4 * 8 * 60 + 4 * 61) / 60, 2)
    assert all(row["n"] == 2 and 0 < row["low"] <= row["seconds"] <= row["high"] for row in rows)
    assert all(0 < row["p50"] <= row["p99"] and row["best"] > 0 for row in rows)
    shown = packed_table(Result({}, rows))
    assert shown["relative time"].iloc[0] == 1 and shown["bytes per item"].tolist()[0] == 36.1


def test_a_comparison_is_timed_from_the_file_to_the_page(tmp_path, monkeypatch):
    """A small one; what is stored goes into the table of its page, which says where it is not."""
    import compare_time

    sizes = {"n_users": 400, "n_items": 100, "n_segments": 5, "mean_interactions": 20.0}
    monkeypatch.setattr(
        compare_time, "compared",
        lambda folder, options, of=compare_time.compared: of(
            folder, ["--profile", "smoke", "--methods", "Popularity", *options], sizes
        ),
    )  # fmt: skip
    out = tmp_path / "compare-time.json"
    monkeypatch.setattr(sys, "argv", ["compare_time.py", "--out", str(out)])
    shown = report.stored("compare-time", tmp_path, "python benchmarks/compare_time.py")
    assert "Not measured here" in shown.table("compare time")._repr_html_()
    compare_time.main()
    stored = report.stored("compare-time", tmp_path, "python benchmarks/compare_time.py")
    (line,) = stored.frame("compare time").to_dict("records")
    assert line["command"] == "celsa compare mine.csv --profile smoke --methods Popularity"
    assert line["users"] == "400" and line["models"] == 1 and line["seconds"] > 0
    (run,) = stored.result.manifest["runs"].values()
    assert run["machine"]["cores"] > 0 and run["machine"]["cpu"] in stored.notice()
    assert "Popularity" in stored.result.rows[0]["answer"] or stored.result.rows[0]["answer"]


def test_every_nonzero_is_read_in_each_thread():
    from cache_reads import read

    rows, rng = SMALL.rows(), np.random.default_rng(0)
    E = rng.standard_normal((2, 16, 32)).astype(np.float32)
    out = np.zeros((2, 1, 32), np.float32)
    read(rows.values.numpy(), rows.cols.numpy(), E, out)
    A = rows.to_csr().toarray() * np.linalg.norm(rows.values.numpy(), axis=1)[:, None]
    assert np.allclose(out[:, 0], A.sum(axis=0) @ E, atol=1e-4)


def test_ratios_on_a_gpu_by_hand():
    """Reads of 4 nonzeros, 10 items and 100 users: 2 · 4 B · 4,000 = 32 kB, 1 ms at 0.032 GB/s."""
    step = {"section": "step", "nnz": 4, "contender": "celsa float32", "seconds": 0.003}
    rows = [step, step | {"contender": "torch TF32", "seconds": 0.03}]
    rows += [step | {"contender": "torch float32", "seconds": 0.06}]
    limits = [{"section": "limits", "what": what, "rate": 0.032} for what in ("copy", "read in L2")]
    manifest = {"items": 10, "batch": 100}
    (line,) = gpu_ratios(Result(manifest, rows + limits)).to_dict("records")
    assert line["celsa, ms"] == 3.0 and line["torch TF32"] == 10.0 and line["of its reads"] == 3.0
    assert line["precision"] == "float32" and line["torch, same precision"] == "20.0"
    rows += [step | {"contender": "celsa bfloat16", "seconds": 0.001}]
    found = gpu_ratios(Result(manifest, rows + limits[:1])).set_index("precision")
    assert found.loc["bfloat16", "torch, same precision"] == "–" and "of its reads" not in found
    runs = {"one": {"machine": {"card": "A card"}}}
    manifest = {"items": 10_000, "batch": 100, "data": "films", "runs": runs}
    dense = Result(manifest, [step | {"nnz": 4_096, "run": "one"}])
    assert gpu_sizes(dense) == "A card, films:\n10,000 items, batches of 100 users, width 4,096"


def test_engines_are_judged_beside_exact_search():
    from engines import AS_IT_COMES, as_it_comes, compared, measured, outcome
    from served_rows import histories_of, signed_rows

    rows = signed_rows(60, width=30, nnz=4)
    users = rows.encode(histories_of(rows))
    latents = users[0]
    true = (rows.matrix @ latents.T).toarray().ravel()
    order = np.argsort(-true)
    assert compared(rows, latents, order[:10], true[order[:10]]) == (1, 0)
    found, error = compared(rows, latents, order[5:15], true[order[5:15]] + 0.1)
    assert found == 0.5 and error == pytest.approx(0.1 / abs(true).max(), rel=1e-4)
    judged = [(0.6, 0, True), (0.9, 0, True), (1, 0, True), (1, 0.01, True), (1, 0, False)]
    words = ["wrong without an error", "approximate", "exact", "approximate", "approximate"]
    assert [outcome(*one) for one in judged] == words

    class Refuses:
        def __enter__(self):
            raise ValueError("no negative values")

        def __exit__(self, *error): ...

    refused = measured("sqlite", AS_IT_COMES, Refuses(), rows, users)
    assert refused["outcome"] == "refused" and refused["said"] == "no negative values"
    opened = as_it_comes("exact", rows, None)
    asked = measured("exact", AS_IT_COMES, opened, rows, users)
    assert asked["outcome"] == "exact" and asked["value"] == 1 and asked["ms"] > 0


def test_a_table_of_engines_by_hand():
    from celsa_lib.report.engines import engines_table

    row = {"section": "engines", "contender": "a", "what": "rows", "way": "as it comes"}
    rows = [row | {"outcome": "wrong without an error", "value": 0.384}]
    rows.append(row | {"way": "through the adapter", "outcome": "exact", "value": 1.0})
    rows.append(row | {"contender": "b", "outcome": "refused"})
    table = engines_table(Result({}, rows))
    assert table.to_dict("split")["data"] == [
        ["a", "wrong without an error, 0.38", "exact"], ["b", "refused", "–"],
    ]  # fmt: skip


def test_values_are_rounded_as_a_file_rounds_them(histories):
    """In rows of their own norm; a step moves them by the gradient of the rounded ones."""
    from rounded_epochs import rounded, trained

    from celsa_lib.training.anchored import anchored_rows, neighbourhoods

    cpu = torch.device("cpu")
    rows = anchored_rows(neighbourhoods(histories, 20.0, cpu), 4, 3, True, cpu)
    found = rounded(rows, 4)
    close, coarse = ((rounded(rows, bits) - rows.values).abs().max() for bits in (8, 3))
    assert 0 < close < (found - rows.values).abs().max() < coarse < 0.2
    values, starts = found.numpy(), rows.starts.tolist()
    levels = [len(np.unique(values[a:b].round(5))) for a, b in pairwise(starts)]
    assert max(levels) <= 1 + 2**4
    assert (trained(histories, 32, 0).matrix != trained(histories, 32, 0, 4, 2).matrix).nnz > 60


def test_rounded_epochs_are_held_against_rounding_afterwards():
    row = {"section": "rounded epochs", "dataset": "set", "budget_bytes": 64, "epochs": 2}
    row |= {"unpacked": 0.5, "usual": 0.4, "rounded": 0.41, "mean": 0.01, "low": -0.1, "high": 0.1}
    result = Result({}, [row | {"bits": bits} for bits in (4, 3)])
    (check,) = rounded_gains(result, 3)
    assert check.what == "set, 64 B, last 2 epochs" and check.outcome == "undecided"
    shown = rounded_table(result)
    assert shown["packed after these"].tolist() == ["0.4100"] * 2
    assert shown["difference"].tolist() == ["+0.0100"] * 2
