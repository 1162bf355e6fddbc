"""Fast backends against the masked dense formula, one path against many, killed against whole."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import celsa_lib as cl
from celsa_lib.models.compressed import train
from celsa_lib.training import Checkpoint, Run, Stage, TrainingOptions, Validation
from celsa_lib.training.anchored import anchored_rows, neighbourhoods
from celsa_lib.training.backends import DenseBackend, ReferenceBackend, SparseBackend, make_backend
from celsa_lib.training.batches import drawn_outputs, shuffled_batches, user_batch
from celsa_lib.training.checkpoint import fingerprint
from celsa_lib.training.device import density_of_dense
from celsa_lib.training.objective import predict, top_k_columns, unit_rows
from celsa_lib.training.plan import make_plan
from celsa_lib.training.rows import full_rows, initial_embeddings

CPU = torch.device("cpu")
FAST = {"epochs": 2, "batch_size": 64, "progress": False}


def rows(n_items, width, nnz, seed=0):
    """Random rows (values, int32 columns) of lengths 1 to 1.5.

    With unit rows an item that overlaps with no other of a history scores 1 − 1, at ReLU's kink,
    where rounding decides.
    """
    A = torch.randn(n_items, width, generator=torch.Generator().manual_seed(seed))
    cols = top_k_columns(A, nnz)
    lengths = torch.linspace(1.0, 1.5, n_items)[:, None]
    return unit_rows(A.gather(1, cols)) * lengths, cols.int()


def relative_error(ours, theirs):
    return float((ours - theirs).norm() / theirs.norm().clamp_min(1e-12))


@pytest.mark.parametrize("cap", [None, 0.5])
@pytest.mark.parametrize("n_users", [1, 31, 32, 33, 200])
@pytest.mark.parametrize("nnz", [1, 2, 7, 12])
def test_gradient_is_autograds(histories, nnz, n_users, cap):
    """Float32, relative error at most 1e-5; also with fewer users than lanes, and odd nnz."""
    values, cols = rows(60, 12, nnz)
    batch = user_batch(histories, np.arange(n_users), CPU)
    loss, gradient = ReferenceBackend(cols, 12, cap)(values, batch)
    for backend in (SparseBackend(cols, 12, 60, cap), DenseBackend(cols, 12, cap)):
        for _ in range(2):  # nothing is left over from the call before
            ours, found = backend(values, batch)
            assert ours == pytest.approx(loss, rel=1e-6)
            assert relative_error(found, gradient) < 1e-5


def test_sampled_outputs(histories):
    """All seen items are among them, no item twice, and the gradient is that of the formula."""
    rng = np.random.default_rng(0)
    values, cols = rows(60, 12, 5)
    for batch in shuffled_batches(histories, 8, rng, CPU, max_outputs=55):
        assert len(batch.outputs) == len(torch.unique(batch.outputs)) <= 60
        assert len(batch.outputs) >= 55
        assert torch.equal(batch.outputs[batch.positions], batch.items)
        loss, gradient = ReferenceBackend(cols, 12, None)(values, batch)
        for backend in (SparseBackend(cols, 12, 55, None), DenseBackend(cols, 12, None)):
            ours, found = backend(values, batch)
            assert ours == pytest.approx(loss, rel=1e-6)
            assert relative_error(found, gradient) < 1e-5


def test_the_bias_of_sampled_outputs_is_the_share_that_is_drawn(histories):
    """Σ p² is on average that of seen items and the drawn share of the others: the loss is lower
    for every draw, the lower the fewer are drawn, and the same when all are.
    """
    values, cols = rows(60, 12, 5)
    users, backend = np.arange(8), ReferenceBackend(cols, 12, None)
    A = backend._written_out(values)
    whole = user_batch(histories, users, CPU)
    p = predict(A, whole).clamp_min(0.0)
    seen = torch.zeros(60, dtype=torch.bool)
    seen[whole.items] = True
    losses, means = {}, {}
    for limit in (45, 52, 60):
        found = []
        for draw in range(300 if limit == 52 else 20):
            outputs = drawn_outputs(histories, users, limit, False, np.random.default_rng(draw))
            batch = user_batch(histories, users, CPU, outputs)
            loss, _ = backend(values, batch)
            losses.setdefault(limit, []).append(loss * len(batch.outputs) * 8)
            found.append(predict(A, batch).clamp_min(0.0).square().sum(dim=1))
        means[limit] = torch.stack(found).mean(dim=0)
    share = (52 - int(seen.sum())) / (60 - int(seen.sum()))
    expected = p[:, seen].square().sum(dim=1) + share * p[:, ~seen].square().sum(dim=1)
    assert 0.2 < share < 0.9 and torch.allclose(means[52], expected, rtol=0.03)
    assert max(losses[52]) < losses[60][0] and np.mean(losses[45]) < np.mean(losses[52])
    assert np.allclose(losses[60], backend(values, whole)[0] * 60 * 8)


def test_tf32_is_asked_of_a_gpus_products_alone(histories):
    """On a CPU they are float32's, and the setting of torch is left as it was."""
    values, cols = rows(60, 12, 12)
    batch = user_batch(histories, np.arange(100), CPU)
    before = torch.backends.cuda.matmul.allow_tf32
    _, gradient = DenseBackend(cols, 12, None)(values, batch)
    _, found = DenseBackend(cols, 12, None, precision="tf32")(values, batch)
    assert torch.equal(found, gradient)
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_bfloat16_products_are_close(histories):
    values, cols = rows(60, 12, 12)
    batch = user_batch(histories, np.arange(100), CPU)
    loss, gradient = DenseBackend(cols, 12, None)(values, batch)
    rounded, found = DenseBackend(cols, 12, None, precision="bfloat16")(values, batch)
    assert rounded == pytest.approx(loss, rel=1e-2) and rounded != loss
    assert 0 < relative_error(found, gradient) < 0.2


@pytest.mark.parametrize("schedule", ["exponential", "constant", "step-wise"])
@pytest.mark.parametrize("backend", ["auto", "sparse", "dense"])
def test_losses_of_a_whole_schedule(histories, backend, schedule):
    fit = lambda e: cl.CompressedELSA(32, 4, schedule, backend=e, **FAST).fit(histories)  # noqa: E731
    ours, theirs = fit(backend), fit("reference")
    losses = [[entry["loss"] for entry in model.history_] for model in (ours, theirs)]
    assert np.allclose(*losses, rtol=1e-5)
    assert [e["nnz"] for e in ours.history_] == [e["nnz"] for e in theirs.history_]


def test_one_thread_or_two(histories):
    numba = pytest.importorskip("numba")
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one core")
    fit = lambda: cl.CompressedELSA(32, 4, **FAST).fit(histories).item_embeddings.matrix  # noqa: E731
    both = fit()
    numba.set_num_threads(1)
    try:
        alone = fit()
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert abs(both - alone).max() < 1e-3


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("schedule", ["exponential", "step-wise", "linear", "constant"])
def test_budgets_from_one_path_are_separate_runs(histories, schedule, restart):
    parameters = {"width": 32, "schedule": schedule, "restart": restart, **FAST}
    together = cl.CompressedELSA(**parameters).fit_budgets(histories, (8, 4, 2))
    for nnz, model in together.items():
        alone = cl.CompressedELSA(nnz=nnz, **parameters).fit(histories)
        ours, theirs = (m.item_embeddings.matrix for m in (model, alone))
        assert model.history_ == alone.history_ and model.nnz == nnz
        assert np.array_equal(ours.indices, theirs.indices)
        assert np.array_equal(ours.data, theirs.data)
        assert np.allclose(model.score(histories), alone.score(histories), atol=1e-6)


def test_no_budgets_is_an_error(histories):
    with pytest.raises(cl.CelsaError, match="at least one number"):
        cl.CompressedELSA().fit_budgets(histories, ())


def test_a_plan_by_hand():
    """Short branches first, then those of the path that came first; nodes in depth-first order."""
    a, b, c, d = (Stage(nnz, 2) for nnz in (8, 4, 2, 1))
    plan = make_plan([[a, b, c, d], [a, c], [a, b, d], [d]])
    assert [node.stage for node in plan.nodes] == [d, a, c, b, d, c, d]
    assert [node.parent for node in plan.nodes] == [-1, -1, 1, 1, 3, 3, 5]
    assert [node.epoch for node in plan.nodes] == [0, 0, 2, 2, 4, 4, 6]
    assert plan.ends == [6, 2, 4, 0]


def test_a_plan_may_have_more_stages_than_python_has_levels_of_recursion():
    paths = [cl.models.make_schedule("exponential", 4096, nnz, 400) for nnz in (64, 16)]
    assert min(map(len, paths)) > 1000
    plan = make_plan(paths)
    assert [len(plan.path(end)) for end in plan.ends] == [len(path) for path in paths]


STAGES = st.lists(st.builds(Stage, st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=5)


@given(st.lists(STAGES, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_a_plan_is_its_paths(paths):
    """Following the plan from the start gives each path back; parents are trained before."""
    plan = make_plan(paths)
    for path, end in zip(paths, plan.ends, strict=True):
        nodes = plan.path(end)
        assert [plan.nodes[n].stage for n in nodes] == path
        epochs = np.cumsum([0] + [stage.epochs for stage in path])[:-1]
        assert [plan.nodes[n].epoch for n in nodes] == epochs.tolist()
    assert all(node.parent < n for n, node in enumerate(plan.nodes))
    kept = len({tuple(path[: i + 1]) for path in paths for i in range(len(path))})
    assert len(plan.nodes) == kept


def test_the_history_has_what_was_asked_for(histories):
    seen = []
    validate = lambda embeddings: seen.append(embeddings.bytes_per_item) or len(seen)  # noqa: E731
    model = cl.CompressedELSA(16, 4, callbacks=[Validation(validate)], **FAST).fit(histories)
    assert [entry["validation"] for entry in model.history_] == list(range(1, len(seen) + 1))
    assert seen[0] == 64 and seen[-1] == 32


@pytest.mark.parametrize("recipe", ["paper", "recommended"])
def test_the_last_validation_is_of_the_fitted_model(histories, recipe):
    mean_score = lambda embeddings: embeddings.score(histories).mean()  # noqa: E731
    options = {"recipe": recipe, "epochs": 2, "weight_averaging": 0.0, "progress": False}
    model = cl.CompressedELSA(nnz=4, callbacks=[Validation(mean_score)], **options)
    last = model.fit(histories).history_[-1]["validation"]
    assert last == pytest.approx(mean_score(model.item_embeddings), rel=1e-6)


KILLED = """
import sys
import celsa_lib as cl
from celsa_lib.models.compressed import train
from celsa_lib.training import Checkpoint, Run, Stage, TrainingOptions, Validation
from scipy.sparse import load_npz

X, checkpoint, out, schedule = load_npz(sys.argv[1]), *sys.argv[2:]
print("ready", flush=True)
callbacks = [Validation(lambda rows: print("epoch", flush=True) or 0.0), Checkpoint(checkpoint)]
model = cl.CompressedELSA(
    64, schedule=schedule, epochs=4, batch_size=4, callbacks=callbacks, progress=False
)
models = model.fit_budgets(X, (8, 4, 2))
for nnz, model in models.items():
    model.item_embeddings.save(f"{out}-{nnz}.npz")
"""


@pytest.mark.parametrize(
    "schedule", ["exponential", pytest.param("constant", marks=pytest.mark.slow)]
)
def test_killed_and_resumed_is_the_same_run(histories, tmp_path, schedule):
    """SIGKILL at several moments, also while a checkpoint is being written; the same bits."""
    from scipy.sparse import save_npz

    save_npz(tmp_path / "X.npz", histories)
    checkpoint = tmp_path / "run.checkpoint.npz"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "X.npz"), str(checkpoint)]
    subprocess.run([*command[:-1], str(tmp_path / "none"), str(tmp_path / "whole"), schedule],
                   check=True, capture_output=True)  # fmt: skip
    command += [str(tmp_path / "killed"), schedule]
    rng, sizes = np.random.default_rng(0), []
    for epochs in (1, 4, 3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = iter(process.stdout.readline, "")
        for _ in zip(range(epochs + 2), lines, strict=False):
            pass
        time.sleep(rng.uniform(0, 0.01))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        sizes.append(checkpoint.stat().st_size)
    assert max(sizes) < 60 * 64 * 4 * 12  # bounded: a few arrays of items × width
    subprocess.run(command, check=True, capture_output=True)
    for nnz in (8, 4, 2):
        one, two = (
            cl.ItemEmbeddings.load(tmp_path / f"{run}-{nnz}.npz").matrix
            for run in ("whole", "killed")
        )
        assert np.array_equal(one.data, two.data) and np.array_equal(one.indices, two.indices)
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_run_is_refused(histories, tmp_path):
    path = tmp_path / "run.npz"
    stopped = TrainingOptions(batch_size=64, progress=False)
    callbacks = [Validation(stop_at(3)), Checkpoint(path)]
    with pytest.raises(KeyboardInterrupt):
        train(histories, 16, [[Stage(16, 2), Stage(4, 2)]], False, stopped, callbacks)
    assert path.exists()
    with pytest.raises(cl.CelsaError, match="another run|other parameters"):
        cl.CompressedELSA(16, 2, callbacks=[Checkpoint(path)], **FAST).fit(histories)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(cl.CelsaError, match="damaged.*delete it"):
        cl.CompressedELSA(16, 2, callbacks=[Checkpoint(path)], **FAST).fit(histories)


def test_a_checkpoint_knows_the_rows_and_scales_that_a_run_starts_from(histories):
    """Everything of a start decides the result: a change of any part is another run."""
    start = anchored_rows(neighbourhoods(histories, 20.0, CPU), 4, 3, True, CPU)
    options = TrainingOptions(batch_size=64, scales=True, progress=False)
    mark = lambda rows: fingerprint(Run(histories, 60, [[Stage(4, 1)]], False, options, (), rows))  # noqa: E731
    assert mark(start) == mark(start.copy())
    for part in ("values", "cols", "scales"):
        changed = replace(start, **{part: getattr(start, part).clone()})
        getattr(changed, part).view(-1)[0] += 1
        assert mark(changed) != mark(start), part


def test_numbers_of_numpy_are_options_of_a_run_with_a_checkpoint(histories, tmp_path):
    own = {"batch_size": 64, "max_outputs": 20, "learning_rate": 0.1, "epsilon": 1e-7, "seed": 3}
    types = {int: np.int64, float: np.float64}
    theirs = {name: types[type(value)](value) for name, value in own.items()}
    fitted = [
        cl.ELSA(
            8, epochs=1, callbacks=[Checkpoint(tmp_path / "run.npz")], progress=False, **options
        )
        .fit(histories)
        .item_embeddings.matrix.data
        for options in (own, theirs)
    ]
    assert np.array_equal(*fitted)
    assert type(TrainingOptions(relu_cap=np.float32(6)).relu_cap) is float


def stop_at(epoch):
    """A `validate` that interrupts training at its `epoch`-th call."""
    calls = []

    def validate(embeddings):
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return 0.0

    return validate


def test_precision_is_what_was_asked_for_on_every_processor(histories, monkeypatch):
    """float32 unless bfloat16 is asked for, whatever the CPU can do; the model says so."""
    for has_amx in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda has=has_amx: has)
        rows = full_rows(initial_embeddings(6, 4, 0))
        dtypes = [make_backend(rows, TrainingOptions(precision=p)).dtype
                  for p in ("float32", "bfloat16")]  # fmt: skip
        assert dtypes == [torch.float32, torch.bfloat16]
    models = [cl.CompressedELSA(16, 4, precision=p, **FAST).fit(histories)
              for p in ("float32", "bfloat16")]  # fmt: skip
    assert [model.precision_ for model in models] == ["float32", "bfloat16"]
    assert [model.backend_ for model in models] == ["dense, sparse"] * 2
    only_loops = cl.CompressedELSA(16, 4, precision="bfloat16", backend="sparse", **FAST)
    assert only_loops.fit(histories).precision_ == "float32"


@pytest.mark.parametrize("amx, precision, limit", [(True, "bfloat16", 0.1), (True, "float32", 0.3),
                                                   (False, "bfloat16", 0.3)])  # fmt: skip
def test_density_decides_between_loops_and_dense_products(monkeypatch, amx, precision, limit):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert density_of_dense(precision) == limit
    full = full_rows(initial_embeddings(6, 20, 0))
    for nnz, backend in ((int(20 * limit), SparseBackend), (int(20 * limit) + 1, DenseBackend)):
        options = TrainingOptions(precision=precision)
        assert type(make_backend(full.prune(nnz), options)) is backend


def test_a_dense_stage_does_not_look_for_its_support(histories):
    """Dense ELSA is constant at full width: the same bits as a stage with a dynamic support."""
    (stage,) = cl.models.make_schedule("constant", 16, 16, 2)
    assert not stage.dynamic and cl.models.make_schedule("constant", 16, 4, 2)[0].dynamic
    options = TrainingOptions(batch_size=64, progress=False)
    found = [
        train(histories, 16, [[Stage(16, 2, dynamic)]], False, options)[0][0]
        for dynamic in (True, False)
    ]
    assert np.array_equal(found[0].data, found[1].data)


def test_numpys_integers_are_welcome(histories, tmp_path):
    parameters = {"width": np.int64(16), "epochs": np.int32(1), "seed": np.int64(3)}
    options = {"batch_size": 64, "progress": False, "callbacks": [Checkpoint(tmp_path / "run.npz")]}
    model = cl.CompressedELSA(nnz=np.int64(4), **parameters, **options).fit(histories)
    plain = cl.CompressedELSA(16, 4, epochs=1, seed=3, batch_size=64, progress=False)
    assert model.history_ == plain.fit(histories).history_


def test_what_a_killed_writer_left_is_removed(histories, tmp_path):
    left = tmp_path / ".run.npz.abc123.tmp"
    left.write_bytes(b"half")
    (tmp_path / ".other.npz.abc.tmp").write_bytes(b"someone else's")
    cl.CompressedELSA(16, 4, callbacks=[Checkpoint(tmp_path / "run.npz")], **FAST).fit(histories)
    assert [path.name for path in tmp_path.iterdir()] == [".other.npz.abc.tmp"]
