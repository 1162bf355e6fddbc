"""Many items: counts without items × items, steps by lists, a crowd and its truth, new items."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib import report
from celsa_lib.data import fit_curve, make_crowd
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.results import Result, load_result
from celsa_lib.training import anchored
from celsa_lib.training.anchored import CountsOnCpu, anchored_rows, neighbourhoods
from celsa_lib.training.backends import ListBackend, ReferenceBackend, SparseBackend
from celsa_lib.training.backends import sparse as sparse_backend
from celsa_lib.training.batches import drawn_outputs, user_batch
from celsa_lib.training.options import SHRINK

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
QUIET = {"recipe": "recommended", "progress": False}


@pytest.fixture(scope="module")
def crowd():
    return make_crowd(2_000, 400, segment_size=20, mean_draws=15, seed=3)


@pytest.fixture(scope="module")
def movies():
    return cl.load_dataset("ml-100k")


def random_sets(n_users=40, n_items=30, seed=0) -> csr_matrix:
    """Many ties; an item that nobody has seen, one that is seen alone, a user without history."""
    X = (np.random.default_rng(seed).random((n_users, n_items)) < 0.1).astype(np.float32)
    X[:, 7], X[5], X[3] = 0, 0, 0
    X[:, 11] = 0
    X[3, 11] = 1
    return csr_matrix(X)


@pytest.mark.parametrize("n_neighbours", [1, 4, 29])
def test_neighbours_are_those_of_all_counts(n_neighbours):
    """Of equal ones the first; −1 where none is left."""
    X = random_sets()
    counts = (X.T @ X).toarray()
    popularity = counts.diagonal() + np.float32(SHRINK)
    strength = counts / np.sqrt(np.outer(popularity, popularity))
    np.fill_diagonal(strength, 0)
    order = np.argsort(-strength, axis=1, kind="stable")[:, :n_neighbours]
    expected = np.where(np.take_along_axis(strength, order, axis=1) > 0, order, -1)
    found = CountsOnCpu(X).closest(n_neighbours, np.arange(30, dtype=np.int32))
    assert np.array_equal(found, expected)
    some = np.array([29, 7, 0], dtype=np.int32)
    assert np.array_equal(CountsOnCpu(X).closest(n_neighbours, some), expected[some])


def test_blocks_are_those_of_all_counts():
    X, reg = random_sets(), 5.0
    gram = (X.T @ X).toarray() + reg * np.eye(30, dtype=np.float32)
    members = np.array([[3, 1, 29, 4], [1, 0, 2, -1], [7, -1, -1, -1]], dtype=np.int32)
    found = CountsOnCpu(X).blocks(members, reg).numpy()
    for block, (row, size) in zip(found, zip(members, (4, 3, 1), strict=True), strict=True):
        expected = np.eye(4, dtype=np.float32)
        expected[:size, :size] = gram[np.ix_(row[:size], row[:size])]
        assert np.array_equal(block, expected)


def test_a_start_in_passes_is_the_start_at_once(crowd, monkeypatch):
    """Whatever is counted at a time, they are the same; LAPACK rounds by how many it is given."""
    starts = []
    for counted in (2**27, 51 * 51 * 33):
        monkeypatch.setattr(CountsOnCpu, "at_once", counted)
        near = neighbourhoods(crowd.X, 100.0, CPU)
        starts.append((near.partial, near.precision))
    (r, precision), (other, others) = starts
    assert np.array_equal(r.indices, other.indices) and np.allclose(r.data, other.data, atol=1e-6)
    assert np.allclose(precision, others, rtol=1e-5)


def test_the_largest_of_ties_are_the_first():
    size = np.array([3, 1, 2, 2, 2, 5], dtype=np.float32)
    among = np.array([True, True, True, True, True, False])
    for n, expected in ((0, []), (1, [0]), (2, [0, 2]), (3, [0, 2, 3]), (9, [0, 1, 2, 3, 4])):
        assert np.flatnonzero(anchored._largest(size, among, n)).tolist() == expected


def anchored_case(X, nnz=4):
    """Rows of a start, of lengths 1 to 1.5 so that no score lies at ReLU's kink, and scales."""
    rows = anchored_rows(neighbourhoods(X, 5.0, CPU, 10), nnz, 2, True, CPU)
    values, cols, starts = rows.flat()
    lengths = torch.linspace(1.0, 1.5, X.shape[1])
    values = values * torch.repeat_interleave(lengths, starts.long().diff())
    rng = torch.Generator().manual_seed(0)
    scales = 0.8 + 0.4 * torch.rand(2, X.shape[1], generator=rng)
    return values, cols, starts, scales


@pytest.mark.parametrize("cap", [None, 0.9])
@pytest.mark.parametrize("n_users", [1, 33, 200])
@pytest.mark.parametrize("limit", [None, 300])
def test_steps_by_lists_are_those_of_the_formula(crowd, n_users, cap, limit):
    """Loss, gradient and slopes, on all items or on some, with dropout; and of the other loops."""
    values, cols, starts, scales = anchored_case(crowd.X)
    users = np.arange(n_users)
    outputs = drawn_outputs(crowd.X, users, limit, False, np.random.default_rng(0))
    batch = user_batch(crowd.X, users, CPU, outputs, dropout=(7, 0.4))
    reference = ReferenceBackend(cols, 400, cap, starts)
    loss, gradient = reference(values, batch, scales)
    for kind in (ListBackend, SparseBackend):
        backend = kind(cols, 400, len(batch.outputs), cap, starts)
        for _ in range(2):  # nothing is left over from the call before
            ours, found = backend(values, batch, scales)
            assert ours == pytest.approx(loss, rel=1e-6)
            for theirs, mine in ((gradient, found), (reference.slopes, backend.slopes)):
                assert float((mine - theirs).norm() / theirs.norm()) < 2e-5


def test_lists_hold_items_without_a_nonzero(crowd):
    """A row may have lost all of its nonzeros: its item scores nothing, and teaches nothing."""
    values, cols, starts, scales = anchored_case(crowd.X)
    empty = int(crowd.X.indices[0])  # the first user has seen it
    kept = torch.ones(len(values), dtype=bool)
    kept[starts[empty] : starts[empty + 1]] = False
    starts = starts.clone()
    starts[empty + 1 :] -= int((~kept).sum())
    values, cols = values[kept], cols[kept]
    batch = user_batch(crowd.X, np.arange(50), CPU)
    loss, gradient = ReferenceBackend(cols, 400, None, starts)(values, batch, scales)
    backend = ListBackend(cols, 400, 400, None, starts)
    for _ in range(2):
        ours, found = backend(values, batch, scales)
        assert ours == pytest.approx(loss, rel=1e-6)
        assert float((found - gradient).norm() / gradient.norm()) < 2e-5


def test_a_training_by_lists_is_that_of_the_other_loops(crowd, monkeypatch):
    """Chosen where lists are short; the same losses, and the same answers."""
    fit = lambda: cl.CompressedELSA(nnz=4, reg=300.0, epochs=3, **QUIET).fit(crowd.X)  # noqa: E731
    usual = fit()
    monkeypatch.setattr(sparse_backend, "LIST_COST", 0)
    lists = fit()
    assert (usual.backend_, lists.backend_) == ("sparse", "sparse lists")
    losses = [[entry["loss"] for entry in model.history_] for model in (usual, lists)]
    assert np.allclose(*losses, rtol=1e-4)
    ours, theirs = (model.score(crowd.X[:50]) for model in (lists, usual))
    assert np.linalg.norm(ours - theirs) < 0.02 * np.linalg.norm(theirs)


def test_lists_are_chosen_among_many_items():
    """Each user has seen two of many pairs of items: a list holds two."""
    pairs = np.arange(3_000).reshape(-1, 2)
    X = csr_matrix((np.ones(3_000), pairs.ravel(), np.arange(1_501) * 2), shape=(1_500, 3_000))
    X = csr_matrix(np.concatenate([X.toarray()] * 2))
    assert cl.CompressedELSA(nnz=2, epochs=1, **QUIET).fit(X).backend_ == "sparse lists"


def test_a_crowd_is_as_popular_as_its_curve(crowd):
    """Seen counts go with the planted shares, and a fit of the curve finds it again."""
    many = make_crowd(60_000, 1_000, (0.9, 10), 50, mean_draws=10, length_spread=0.3, seed=1)
    seen = np.asarray(many.X.sum(axis=0)).ravel()
    assert np.corrcoef(np.log(seen + 1), np.log(many.share))[0, 1] > 0.9
    assert many.X.has_canonical_format and (many.X.data == 1).all()
    assert np.diff(many.X.indptr).min() >= 1 and many.share.sum() == pytest.approx(1)
    again = make_crowd(60_000, 1_000, (0.9, 10), 50, mean_draws=10, length_spread=0.3, seed=1)
    assert (again.X != many.X).nnz == 0
    counts = np.round(1e5 * (np.arange(1, 500) + 20.0) ** -0.8).astype(int)
    items = np.repeat(np.arange(499), counts)
    one_each = csr_matrix((np.ones(len(items)), items, np.arange(len(items) + 1)))
    exponent, offset = fit_curve(one_each)
    assert exponent == pytest.approx(0.8, abs=0.02) and abs(offset - 20) <= 5
    with pytest.raises(ConfigError, match="too few for a curve"):
        fit_curve(one_each[:, :5])


def test_the_truth_of_a_crowd_by_hand(crowd):
    """Probabilities of all items, written out, give the ranking; and no model ranks better."""
    users = np.array([5, 17])
    items, values = crowd.truth(users).recommend(crowd.X[users], n=10)
    weights = np.bincount(crowd.item_segment, weights=crowd.share)
    for row, user in enumerate(users):
        chance = np.zeros(400)
        for segment in crowd.user_segments[user]:
            mine = crowd.item_segment == segment
            chance[mine] += 0.25 * 0.95 * crowd.share[mine] / weights[segment]
        chance += 0.05 * crowd.share
        assert chance.sum() == pytest.approx(1)
        chance[crowd.X[user].indices] = 0
        assert np.allclose(values[row], np.sort(chance)[::-1][:10])
        assert np.allclose(chance[items[row]], values[row])
    with pytest.raises(ConfigError, match="another number"):
        crowd.truth(users).recommend(crowd.X[:3])


def test_training_comes_close_to_the_truth(crowd):
    test = np.flatnonzero(np.diff(crowd.X.indptr) >= 5)[:300]
    folds = cl.holdout_folds(crowd.X[test], n_folds=1)
    model = cl.CompressedELSA(nnz=8, **QUIET).fit(crowd.X[300:])
    ours, best = (cl.evaluate(one, folds).mean["ndcg@100"] for one in (model, crowd.truth(test)))
    assert 0.7 * best < ours < best


def cold_case(data, share=0.1, n_test=150):
    """Histories to learn from without, and with, the items that are new; folds of new targets."""
    split = cl.split_users(data.X, n_test=n_test, seed=42)
    rng = np.random.default_rng(0)
    seen = np.asarray(split.train.sum(axis=0)).ravel()
    new = np.sort(rng.choice(np.flatnonzero(seen >= 10), int(share * len(seen)), replace=False))
    old = np.setdiff1d(np.arange(len(seen)), new)
    folds = []
    for given, target in cl.holdout_folds(split.test):
        mask = np.isin(target.indices, new)
        starts = np.concatenate([[0], np.cumsum(mask)])[target.indptr]
        only_new = csr_matrix((target.data[mask], target.indices[mask], starts), target.shape)
        folds.append((given, only_new))
    return split.train, old, new, folds


def test_new_items_without_training_are_near_a_retraining(movies):
    """nDCG@100 of targets that training has not seen, and of all others."""
    train, old, _, cold = cold_case(movies)
    before = cl.CompressedELSA(nnz=16, **QUIET).fit(train[:, old], movies.item_ids[old])
    after = cl.with_new_items(before.item_embeddings, train, movies.item_ids)
    again = cl.CompressedELSA(nnz=16, **QUIET).fit(train, movies.item_ids)
    value = lambda model, folds: cl.evaluate(model, folds).mean["ndcg@100"]  # noqa: E731
    folds = cl.holdout_folds(cl.split_users(movies.X, n_test=150, seed=42).test)
    retrained, ours = ([value(model, f) for f in (cold, folds)] for model in (again, after))
    assert ours[0] > 0.7 * retrained[0] and ours[1] > 0.9 * retrained[1], (ours, retrained)
    assert after.is_anchored and np.array_equal(after.item_ids, movies.item_ids)
    known = after.matrix[old][:, old]
    assert abs(known - before.item_embeddings.matrix).max() == 0


def test_training_goes_on_from_rows_that_exist(movies):
    """Items have come and gone; a few epochs from the old rows are as good as a new training."""
    train, old, _, cold = cold_case(movies)
    first = cl.CompressedELSA(nnz=16, **QUIET).fit(train[:, old], movies.item_ids[old])
    left, ids = np.arange(100, train.shape[1]), movies.item_ids[100:]
    model = cl.CompressedELSA(nnz=16, epochs=2, **QUIET)
    model.fit(train[:, left], ids, start=first.item_embeddings)
    assert len(model.history_) == 2 and np.array_equal(model.item_embeddings.item_ids, ids)
    again = cl.CompressedELSA(nnz=16, **QUIET).fit(train[:, left], ids)
    folds = [(given[:, left], target[:, left]) for given, target in cold]
    value = lambda one: cl.evaluate(one, folds).mean["ndcg@100"]  # noqa: E731
    assert value(model) > 0.9 * value(again)


def test_a_start_of_the_same_items_is_what_was_trained(movies):
    first = cl.CompressedELSA(nnz=8, epochs=1, **QUIET).fit(movies.X, movies.item_ids)
    same = cl.with_new_items(first.item_embeddings, movies.X, movies.item_ids)
    assert (same.matrix != first.item_embeddings.matrix).nnz == 0
    assert np.array_equal(same.input_scales, first.item_embeddings.input_scales)
    order = np.random.default_rng(0).permutation(movies.X.shape[1])
    moved = cl.with_new_items(same, movies.X[:, order], movies.item_ids[order])
    expected = same.score(movies.X[:5])[:, order]
    assert np.allclose(moved.score(movies.X[:5][:, order]), expected, atol=1e-5)


def test_what_cannot_be_gone_on_from_says_so(movies, histories):
    recommended = cl.CompressedELSA(nnz=4, epochs=1, **QUIET).fit(histories)
    rows = recommended.item_embeddings
    paper = cl.CompressedELSA(16, 4, epochs=1, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dense = paper.fit(histories).item_embeddings
        with pytest.raises(ConfigError, match='support "pruned" has no start'):
            cl.CompressedELSA(16, 4, epochs=1, progress=False).fit(histories, start=rows)
        unscaled = cl.CompressedELSA(nnz=4, support="anchored", epochs=1, progress=False)
        with pytest.raises(ConfigError, match="the start has scales"):
            unscaled.fit(histories, start=rows)
    with pytest.raises(ConfigError, match="no latent of each item's own"):
        cl.with_new_items(dense, histories)
    with pytest.raises(DataError, match="none of the items has a row"):
        cl.with_new_items(rows, histories, [f"other {n}" for n in range(60)])


def test_the_benchmark_in_small_and_its_tables(tmp_path, monkeypatch, capsys):
    """A second run measures nothing; what is not there is said to be missing."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import scale_training

    out = tmp_path / "scale.json"
    command = ["scale_training.py", "--out", str(out), "--sizes", "300", "--fewest-users", "900"]
    command += ["--curve", "0.8", "20", "--epochs", "1", "--batch-size", "64"]
    monkeypatch.setattr("sys.argv", command)
    monkeypatch.setattr(scale_training, "ProcessPoolExecutor", InThisProcess)
    scale_training.main()
    before = load_result(out)
    scale_training.main()
    assert [r["digest"] for r in load_result(out).rows] == [r["digest"] for r in before.rows]
    shown = report.shown(before)
    table = shown.frame("scale").set_index("contender")
    assert table.loc["truth", "of the truth's"] == "100%"
    assert table["nDCG@100"].iloc[-1].startswith("not measured yet: run benchmarks/")
    assert {"whole inverse", "EASE", "seen", "sampled", "sparse start"} <= set(table.index)
    assert {"dense start", "hashed", "exchanged"} <= set(table.index)
    assert shown.frame("scale model")["grows with"].item().startswith("not measured yet")
    ease = shown.frame("ease").set_index("items")
    assert ease.loc["1,000,000", "memory, GiB"] == "11,175.9"
    new = shown.frame("new items")
    assert new["rows"].tolist() == ["retrained", "without training", "few epochs", "popularity"]


class InThisProcess:
    """Stands for a pool of one process."""

    def __init__(self, *_, **__): ...

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def submit(self, action, *arguments):
        """What is asked, at once."""
        return SimpleNamespace(result=lambda: action(*arguments))


def made_up_size(items: int, backend: str, per_pair=1e-6, per_list=1e-7) -> dict:
    """A stored row whose costs are sums of the model's terms."""
    row = {"section": "scale", "contender": "sparse start", "items": items, "users": items,
           "interactions": 20 * items, "nonzeros": 16 * items, "epochs": 10, "backend": backend,
           "mean": 0.3, "stderr": 0.01}  # fmt: skip
    row["cpu_seconds_start"] = per_pair * 400 * items + 2e-3 * items
    loops = 1e-10 * 10 * items * 16 * items
    row["cpu_seconds_training"] = loops if backend == "sparse" else per_list * 10 * 5120 * items
    row["peak_gib"] = 0.5 + 1e-7 * 36 * items
    return row


def test_the_model_of_the_cost_foretells_the_largest_size():
    """Made up by its own terms, the largest is foretold exactly; one that is not is not."""
    sizes = [(5_000, "sparse"), (10_000, "sparse"), (50_000, "sparse lists"),
             (100_000, "sparse lists"), (1_000_000, "sparse lists")]  # fmt: skip
    rows = [made_up_size(*size) for size in sizes]
    found = report.shown(Result({"kind": "benchmark"}, rows)).frame("scale model").set_index("cost")
    assert (found["foretold/measured"] == "1.00").all()
    assert found["1,000,000 items, foretold"].tolist() == found["measured"].tolist()
    assert found.loc["training, s", "one of each"] == "1e-10, 1e-07"
    assert found.loc["peak memory, GiB", "10,000,000 items, foretold"] == "36.5"
    rows[-1]["cpu_seconds_training"] *= 2
    found = report.shown(Result({"kind": "benchmark"}, rows)).frame("scale model").set_index("cost")
    assert found.loc["training, s", "foretold/measured"] == "0.50"
    few = [rows[0], rows[1], rows[-1]]
    found = report.shown(Result({"kind": "benchmark"}, few)).frame("scale model").set_index("cost")
    assert found.loc["training, s", "foretold/measured"] == "–", "no smaller size went by lists"


def test_tables_of_processes_and_streams_by_hand():
    step = {"section": "processes", "items": 10_000, "seconds": 0.2, "cpu": 0.2, "computed": 0,
            "sent": 0, "carried": 0, "peak_gib": [0.4], "processes": 0}  # fmt: skip
    two = step | {"processes": 2, "seconds": 0.125, "peak_gib": [0.3, 0.25], "sent": 2_000_000}
    stream = {"section": "stream", "rows": 1000, "parquet_gib": 0.01, "interactions": 900,
              "reading": 3.2, "cutting": 0.4, "peak_gib": 0.6}  # fmt: skip
    shown = report.shown(Result({"kind": "benchmark"}, [two, step, stream]))
    whole, divided = shown.frame("processes").to_dict("records")
    assert whole["rows"] == "not divided" and divided["times as fast"] == "1.60"
    assert divided["MB sent"] == "2.00" and divided["peak memory of one, GiB"] == "0.30"
    assert shown.frame("stream")["interactions kept"].tolist() == ["900"]
