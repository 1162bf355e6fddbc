"""The kernels of a GPU in Triton's interpreter, against autograd in float64 and the CPU's loops."""

import os
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError
from celsa_lib.training.dropout import dropped, seeds_of

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is first imported
pytest.importorskip("triton")

import celsa_lib as cl
from celsa_lib.data.synthetic import make_synthetic
from celsa_lib.training import TrainingOptions, gpu_dense, loop
from celsa_lib.training.backends import choice
from celsa_lib.training.backends.choice import not_triton_because
from celsa_lib.training.gpu import DenseGpuTrainer, Epochs, SparseGpuTrainer, gpu_trainer
from celsa_lib.training.memory import Cut
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage
from celsa_lib.training.rows import Rows
from celsa_lib.training.stage import StageTrainer

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
N_ITEMS, WIDTH, BATCH, RATE, EPOCHS = 20, 12, 8, 0.02, 7


@pytest.fixture(scope="module")
def X():
    X = make_synthetic(n_users=21, n_items=N_ITEMS, n_segments=4, mean_interactions=6.0).X
    X.sort_indices()
    return X


def some_rows(kind: str, scales: bool) -> tuple[Rows, np.ndarray]:
    """Random rows, full, of 5 nonzeros or of 2 to 6, and which entries they have."""
    rng = np.random.default_rng(3)
    if kind == "full":
        values = torch.from_numpy(rng.normal(size=(N_ITEMS, WIDTH)).astype(np.float32)).to(DEVICE)
        cols = torch.arange(WIDTH, dtype=torch.int32, device=DEVICE).expand(N_ITEMS, WIDTH)
        return Rows(values, cols, WIDTH), np.ones((N_ITEMS, WIDTH), bool)
    lengths = rng.integers(2, 7, N_ITEMS) if kind == "ragged" else np.full(N_ITEMS, 5)
    cols = [np.sort(rng.choice(WIDTH, length, replace=False)) for length in lengths]
    mask = np.zeros((N_ITEMS, WIDTH), bool)
    for i, columns in enumerate(cols):
        mask[i, columns] = True
    to = lambda array, dtype: torch.from_numpy(np.asarray(array, dtype)).to(DEVICE)  # noqa: E731
    values, cols = (
        to(rng.normal(size=lengths.sum()), np.float32),
        to(np.concatenate(cols), np.int32),
    )
    starts = to(np.concatenate([[0], np.cumsum(lengths)]), np.int32)
    rows = Rows(values, cols, WIDTH, starts)
    if kind == "even":
        rows = Rows(values.view(N_ITEMS, 5), cols.view(N_ITEMS, 5), WIDTH)
    if scales:
        rows.scales = torch.zeros(6, N_ITEMS, device=DEVICE)
        rows.scales[:2] = to(rng.normal(scale=0.2, size=(2, N_ITEMS)), np.float32)
    return rows, mask


def naive_loss(A, log_s, log_w, x, visible):
    """The objective as the book writes it, dense and in float64."""
    U = A / A.norm(dim=1, keepdim=True)
    encoded = (visible * log_w.exp()) @ U
    p = ((encoded @ U.T - visible * log_w.exp()) * log_s.exp()).relu()
    unit = lambda rows: rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)  # noqa: E731
    return (unit(x) - unit(p)).square().sum() / x.numel()


@pytest.mark.parametrize(
    ("kind", "dropout", "scales"),
    [
        pytest.param("even", 0.3, False, marks=pytest.mark.slow),
        ("ragged", 0.4, True),
        pytest.param("full", 0.3, False, marks=pytest.mark.slow),
        pytest.param("even", 0.0, False, marks=pytest.mark.slow),
        pytest.param("ragged", 0.0, True, marks=pytest.mark.slow),
        pytest.param("full", 0.0, False, marks=pytest.mark.slow),
    ],
)
def test_twenty_steps_are_autograds_in_float64(X, kind, dropout, scales):
    """Losses within 1e-5 (relative), values and scales within 1e-4 after 21 steps of NAdam.

    With a seed by which no score falls on the kink of ReLU, where rounding decides.
    """
    options = TrainingOptions(
        batch_size=BATCH, learning_rate=RATE, dropout=dropout, scales=scales, seed=5
    )
    rows, mask = some_rows(kind, scales)
    dense = torch.zeros(N_ITEMS, WIDTH, dtype=torch.float64)
    dense[torch.from_numpy(mask)] = rows.values.double().cpu().view(-1)
    logs = torch.zeros(2, N_ITEMS, dtype=torch.float64)
    if scales:
        logs = rows.scales[:2].double().cpu()
    A, log_s, log_w = (t.clone().requires_grad_() for t in (dense, logs[0], logs[1]))
    naive = torch.optim.NAdam([A, log_s, log_w] if scales else [A], lr=RATE, eps=options.epsilon)
    epochs = Epochs(X, options, DEVICE)
    trainer = (DenseGpuTrainer if kind == "full" else SparseGpuTrainer)(
        rows, Nadam.start(rows.values), options, epochs
    )
    kept, steps = torch.from_numpy(mask), epochs.n_steps
    for epoch in range(EPOCHS):
        order = np.random.default_rng(epoch).permutation(np.flatnonzero(np.diff(X.indptr)))
        seeds, losses = seeds_of(5, epoch * steps, steps), []
        rates = np.full((steps, 2), [RATE, 0.0])
        for t in trainer.batches(np.random.default_rng(epoch), rates):
            trainer.step(t)
            users = order[t * BATCH : (t + 1) * BATCH]
            x = torch.from_numpy(X[users].toarray()).double()
            out = X.copy()
            out.data = dropped(np.arange(X.nnz), int(seeds[t]), dropout).astype(np.float32)
            visible = x - torch.from_numpy(out[users].toarray()).double()
            naive.zero_grad()
            loss = naive_loss(A * kept, log_s, log_w, x, visible)
            loss.backward()
            naive.step()
            losses.append(loss.item())
        assert trainer.mean_loss() == pytest.approx(np.mean(losses), rel=1e-5)
    found = trainer.result().values.cpu().view(-1)
    assert torch.allclose(found, A.detach()[kept].float(), atol=1e-4)
    if scales:
        assert torch.allclose(rows.scales[0].cpu(), log_s.detach().float(), atol=1e-4)
        assert torch.allclose(rows.scales[1].cpu(), log_w.detach().float(), atol=1e-4)


@pytest.mark.parametrize(
    "parameters",
    [
        {"width": 64, "epochs": 1, "restart": False, "schedule": "step-wise"},
        {"recipe": "recommended", "epochs": 2, "non_negative": True, "dropout": 0.3},
        *(
            pytest.param({"recipe": "recommended", "epochs": 2} | more, marks=pytest.mark.slow)
            for more in ({}, {"length_exponent": 1.0})
        ),
    ],
)
def test_the_same_model_as_on_a_cpu(parameters):
    """Whole trainings, prunes, dropout, cosine decay and averaging included.

    Rows and histories are full enough for every item to overlap with others: one that does not
    scores 1 − 1, at ReLU's kink, where rounding decides.
    """
    X = make_synthetic(n_users=48, n_items=24, n_segments=4, mean_interactions=14.0).X
    shared = {"nnz": 6, "batch_size": 24, "progress": False} | parameters
    ours = cl.CompressedELSA(**shared, backend="triton").fit(X)
    theirs = cl.CompressedELSA(**shared, backend="sparse").fit(X)
    for found, expected in zip(ours.history_, theirs.history_, strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert found["nnz"] == expected["nnz"] and found["active"] == expected["active"]
    difference = abs(ours.item_embeddings.matrix - theirs.item_embeddings.matrix)
    assert difference.max() < 1e-2
    assert "triton-sparse" in ours.backend_


@pytest.mark.parametrize("backend", ["triton", "sparse"])
@pytest.mark.parametrize("nnz", [6, 24])
def test_rows_have_no_mean_before_it_is_taken(X, backend, nnz):
    """Callbacks see the values until then, and so does who takes it over less than one step."""
    seen = []
    look = type("Look", (cl.training.Callback,), {"epoch": lambda self, _, rows: seen.append(rows)})
    shared = {"recipe": "recommended" if nnz == 6 else "paper", "backend": backend, "nnz": nnz}
    shared |= {"batch_size": 11, "progress": False, "callbacks": [look()], "dropout": 0.2}
    if nnz == 24:
        shared |= {"width": 24, "backend": "triton" if backend == "triton" else "dense"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an epoch of two steps
        cl.CompressedELSA(**shared, epochs=2, weight_averaging=0.3).fit(X)
        model = cl.CompressedELSA(**shared, epochs=1, weight_averaging=0.1).fit(X)
    assert all(rows.values.abs().sum() > 1 for rows in seen)
    assert model.item_embeddings.matrix.nnz > N_ITEMS


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_support_that_moves_is_that_of_the_formula(through, precision):
    """The top 6 of all values at each of three steps, as the reference takes them.

    Histories and rows are so full that all items overlap: see test_the_same_model_as_on_a_cpu.
    """
    X = make_synthetic(n_users=24, n_items=N_ITEMS, n_segments=4, mean_interactions=14.0).X
    stage = Stage(6, 1, dynamic=True, straight_through=through)
    options = TrainingOptions(batch_size=BATCH, learning_rate=0.1, precision=precision)
    rows, _ = some_rows("full", False)
    reference = replace(options, backend="reference" if precision == "float32" else "dense")
    theirs = StageTrainer(rows.copy(), Nadam.start(rows.values), stage, reference, X)
    mine = rows.copy()
    epochs = Epochs(X, options, DEVICE)
    ours = gpu_trainer(mine, Nadam.start(rows.values), stage, options, epochs)
    for trainer in (ours, theirs):
        for batch in trainer.batches(np.random.default_rng(0), options.rates(3)):
            trainer.step(batch)
    exact = precision == "float32"
    assert ours.mean_loss() == pytest.approx(theirs.mean_loss(), rel=1e-5 if exact else 3e-2)
    assert not torch.equal(ours.result().cols, rows.prune(6).cols)
    if exact:
        assert torch.allclose(mine.values, theirs.rows.values, atol=1e-4)
        assert torch.equal(ours.result().cols, theirs.result().cols)


@pytest.mark.parametrize(
    ("stage", "precision"),
    [
        (Stage(WIDTH, 1), "float32"),
        (Stage(WIDTH, 1), "bfloat16"),
        (Stage(6, 1, True), "float32"),
        (Stage(6, 1, True, True), "float32"),
    ],
)
def test_a_row_wider_than_what_is_updated_at_a_time(X, stage, precision, monkeypatch):
    """A step by blocks of 8 and 4 of 12 columns is the step of all at once."""
    options = TrainingOptions(batch_size=BATCH, weight_averaging=0.99 * (not stage.dynamic),
                              precision=precision, non_negative=not stage.dynamic)  # fmt: skip
    found = []
    for columns in (4096, 8):
        monkeypatch.setattr(gpu_dense, "BLOCK_COLUMNS", columns)
        rows, _ = some_rows("full", False)
        epochs = Epochs(X, options, DEVICE)
        trainer = gpu_trainer(rows, Nadam.start(rows.values), stage, options, epochs)
        trainer.step(next(iter(trainer.batches(np.random.default_rng(0), options.rates(3)))))
        mean = () if trainer.mean is None else (trainer.mean,)
        found.append((trainer.A, trainer.m, trainer.v, trainer.inverse_norms, *mean))
    assert not torch.equal(found[0][0], some_rows("full", False)[0].values)
    for blocks, whole in zip(found[1], found[0], strict=True):
        assert torch.allclose(blocks, whole, rtol=1e-4, atol=1e-6)


def test_dense_rows_that_are_not_full_stay_so():
    """A stage that is dense for the GPU: pruned entries come back as zero, kept ones train."""
    X = make_synthetic(n_users=20, n_items=20, n_segments=4, mean_interactions=6.0).X
    options = TrainingOptions(batch_size=10, learning_rate=0.1, weight_averaging=0.5)
    values = torch.randn(20, 8, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    cols = torch.arange(8, dtype=torch.int32, device=DEVICE).repeat(20, 1) * 2
    results = []
    for trainer_of in (DenseGpuTrainer, SparseGpuTrainer):
        rows = Rows(values.clone(), cols, 16)
        trainer = trainer_of(rows, Nadam.start(rows.values), options, Epochs(X, options, DEVICE))
        for t in trainer.batches(np.random.default_rng(0), options.rates(2)):
            trainer.step(t)
        results.append(trainer.result())
    assert torch.allclose(results[0].values, results[1].values, atol=1e-4)
    assert torch.allclose(results[0].mean, results[1].mean, atol=1e-4)
    assert not torch.allclose(results[0].values, values, atol=1e-2)


@pytest.mark.parametrize("kind", ["even", "full"])
def test_a_capped_step_is_that_of_the_formula(X, kind):
    """`relu_cap`, low enough to bind where a user has seen the item and where not."""
    options = TrainingOptions(
        batch_size=32, learning_rate=RATE, relu_cap=0.6, dropout=0.2, non_negative=True
    )
    rows, _ = some_rows(kind, False)
    theirs = StageTrainer(
        rows.copy(),
        Nadam.start(rows.values),
        Stage(rows.nnz, 1),
        replace(options, backend="reference"),
        X,
    )
    trainer_of = DenseGpuTrainer if kind == "full" else SparseGpuTrainer
    ours = trainer_of(rows.copy(), Nadam.start(rows.values), options, Epochs(X, options, DEVICE))
    for trainer in (ours, theirs):
        for batch in trainer.batches(np.random.default_rng(0), options.rates(1)):
            trainer.step(batch)
    assert ours.mean_loss() == pytest.approx(theirs.mean_loss(), rel=1e-5)
    assert torch.allclose(ours.optimiser.m, theirs.optimiser.m, atol=1e-7, rtol=1e-3)
    assert torch.allclose(ours.result().values, theirs.result().values, atol=1e-4)


@pytest.mark.parametrize("kind", ["even", "full"])
def test_sampled_outputs_are_those_of_the_formula(kind):
    """Some items are not scored, and some more than once; a cap binds on them too."""
    X = make_synthetic(n_users=10, n_items=N_ITEMS, n_segments=4, mean_interactions=3.0).X
    options = TrainingOptions(
        batch_size=2, learning_rate=RATE, max_outputs=14, repeat_negatives=True, relu_cap=0.6
    )
    rows, _ = some_rows(kind, False)
    reference, stage = replace(options, backend="reference"), Stage(rows.nnz, 1)
    theirs = StageTrainer(rows.copy(), Nadam.start(rows.values), stage, reference, X)
    trainer_of = DenseGpuTrainer if kind == "full" else SparseGpuTrainer
    epochs = Epochs(X, options, DEVICE, 3)
    ours = trainer_of(rows.copy(), Nadam.start(rows.values), options, epochs)
    rates = options.rates(options.steps_per_epoch(X))
    for batch in ours.batches(np.random.default_rng(0), rates):
        ours.step(batch)
    repeated = False
    for batch in theirs.batches(np.random.default_rng(0), rates):
        repeated |= len(batch.outputs.unique()) < len(batch.outputs)
        theirs.step(batch)
    assert repeated and len(rates) > 3
    assert ours.mean_loss() == pytest.approx(theirs.mean_loss(), rel=1e-5)
    assert torch.allclose(ours.result().values, theirs.result().values, atol=1e-4)


def test_a_window_of_an_epoch_at_a_time(X):
    """Cut in three windows, an epoch is the same as cut at once."""
    losses = []
    for window in (3, 1):
        options = TrainingOptions(batch_size=BATCH, learning_rate=RATE, dropout=0.2)
        rows, _ = some_rows("even", False)
        epochs = Epochs(X, options, DEVICE, window)
        trainer = SparseGpuTrainer(rows, Nadam.start(rows.values), options, epochs)
        for t in trainer.batches(np.random.default_rng(0), options.rates(3)):
            trainer.step(t)
        losses.append(trainer.mean_loss())
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("even", {"dropout": 0.3, "weight_averaging": 0.5}),
        ("ragged", {"dropout": 0.4, "scales": True}),
        ("full", {"dropout": 0.3}),
        pytest.param("full", {"max_outputs": 14, "relu_cap": 0.6}, marks=pytest.mark.slow),
        pytest.param("moving", {}, marks=pytest.mark.slow),
    ],
)
def test_a_batch_in_parts_is_the_same_step(kind, options):
    """Of 8 users 3, 3 and 2, and of the last batch fewer; all of their gradients count."""
    X = make_synthetic(n_users=13, n_items=N_ITEMS, n_segments=4, mean_interactions=12.0).X
    found = []
    for parts in (1, 3):
        chosen = TrainingOptions(batch_size=BATCH, learning_rate=RATE, **options)
        rows, _ = some_rows("full" if kind == "moving" else kind, "scales" in options)
        stage = Stage(6 if kind == "moving" else rows.nnz, 1, dynamic=kind == "moving")
        epochs = Epochs(X, chosen, DEVICE, 2, parts)
        trainer_of = SparseGpuTrainer if kind in ("even", "ragged") else DenseGpuTrainer
        given = rows, Nadam.start(rows.values)
        trainer = trainer_of(*given, chosen, epochs)
        if kind == "moving":
            trainer = gpu_trainer(*given, stage, chosen, epochs)
        for t in trainer.batches(np.random.default_rng(0), chosen.rates(2)):
            trainer.step(t)
        found.append((trainer.mean_loss(), trainer.result()))
    (loss, whole), (loss_of_parts, in_parts) = found
    assert epochs.of_part == 3 and epochs.n_steps == 2
    assert loss_of_parts == pytest.approx(loss, rel=1e-5)
    assert torch.allclose(in_parts.values, whole.values, atol=1e-4)
    for name in ("mean", "scales"):
        if getattr(whole, name) is not None:
            assert torch.allclose(getattr(in_parts, name), getattr(whole, name), atol=1e-4)


@pytest.mark.parametrize("backend", ["reference", "dense"])
def test_steps_of_torch_in_parts_are_the_same(X, backend):
    options = TrainingOptions(batch_size=BATCH, backend=backend, dropout=0.3, max_outputs=14)
    rows, _ = some_rows("even", False)
    found = []
    for parts in (1, 3):
        stage = Stage(rows.nnz, 1), options, X, None, parts
        trainer = StageTrainer(rows, Nadam.start(rows.values), *stage)
        trainer.unit.copy_(rows.values / rows.values.norm(dim=1, keepdim=True))
        batches = trainer.batches(np.random.default_rng(0), options.rates(3))
        steps = map(trainer._in_parts, batches)
        found.append([(loss, gradient.clone()) for loss, gradient in steps])
    for (loss, gradient), (loss_of_parts, of_parts) in zip(*found, strict=True):
        assert loss_of_parts == pytest.approx(loss, rel=1e-5)
        assert torch.allclose(of_parts, gradient, rtol=1e-3, atol=1e-7)


def test_a_whole_training_in_parts_is_the_same(monkeypatch):
    options = {"epochs": 1, "batch_size": 64, "backend": "triton", "progress": False}
    X = make_synthetic(n_users=64, n_items=24, n_segments=4, mean_interactions=14.0).X
    whole = cl.CompressedELSA(16, 4, **options).fit(X).item_embeddings.matrix
    monkeypatch.setattr(loop, "cut_that_fits", lambda *_: Cut(1, 2))
    in_parts = cl.CompressedELSA(16, 4, **options).fit(X).item_embeddings.matrix
    assert abs(whole - in_parts).max() < 1e-2


def test_where_the_kernels_cannot_run(X, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    if DEVICE.type == "cpu":
        with pytest.raises(ConfigError, match="runs on a CUDA GPU, not on cpu"):
            cl.CompressedELSA(8, 2, backend="triton", progress=False).fit(X)


def test_what_makes_the_steps_is_said_with_its_reason(monkeypatch, caplog, X):
    gpu, auto = torch.device("cuda"), TrainingOptions()
    assert not_triton_because(auto, gpu) == ""
    assert not_triton_because(auto, torch.device("cpu")) == "there is no CUDA GPU"
    dense = TrainingOptions(backend="dense")
    assert not_triton_because(dense, gpu) == 'backend "dense" was asked for'
    with caplog.at_level("INFO", "celsa_lib.training"):
        options = {"backend": "triton", "epochs": 1, "progress": False, "batch_size": 32}
        cl.CompressedELSA(8, 8, **options).fit(X)
    assert caplog.messages[0].endswith("float32, by Triton kernels")
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    assert not_triton_because(auto, gpu) == "Triton is not installed"


def test_anchored_rows_train_on_the_cpu_where_a_gpu_has_no_triton(X, monkeypatch, caplog):
    """As on Windows; on a GPU that was asked for, they are refused."""
    options = {"nnz": 3, "recipe": "recommended", "epochs": 1, "progress": False}
    expected = cl.CompressedELSA(**options, device="cpu").fit(X)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    with caplog.at_level("INFO", "celsa_lib.training"):
        found = cl.CompressedELSA(**options).fit(X)
    said = "training on CPU, float32, not on the GPU: Triton is not installed"
    assert said in caplog.messages and found.backend_ == "sparse"
    assert (found.item_embeddings.matrix != expected.item_embeddings.matrix).nnz == 0
    assert choice.training_device(TrainingOptions(), ragged=False).type == "cuda"
    rows, _ = some_rows("ragged", False)
    with pytest.raises(ConfigError, match='does not train anchored rows .* device "cpu"'):
        choice.make_backend(replace(rows, values=rows.values.to("meta")), TrainingOptions())


def test_tf32_is_a_gpus():
    if DEVICE.type == "cpu":
        with pytest.raises(ConfigError, match='"tf32" needs a CUDA GPU, this is cpu'):
            cl.ELSA(8, precision="tf32", progress=False).fit(np.eye(4))


def test_an_interaction_is_dropped_at_the_stated_rate_anew_in_each_step():
    places = np.arange(200_000)
    first, second = (dropped(places, int(seed), 0.3) for seed in seeds_of(0, 0, 2))
    assert first.mean() == pytest.approx(0.3, abs=0.005)
    assert (first & second).mean() == pytest.approx(0.09, abs=0.005)
    assert not dropped(places, 7, 0.0).any()
    assert np.array_equal(seeds_of(1, 5, 3), seeds_of(1, 0, 8)[5:])


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("without_seen", [True, False])
def test_ranking_on_a_gpu_is_that_of_a_cpu(without_seen, dense):
    """Values are multiples of 1/8, so that sums are exact and ties many; a stored zero is there."""
    from scipy.sparse import random as random_sparse

    from celsa_lib.retrieval import SparseIndex
    from celsa_lib.retrieval.gpu import GpuIndex

    rng = np.random.default_rng(0)
    A = random_sparse(120, 40, 0.1, format="csr", dtype=np.float32, random_state=1)
    A.data = (rng.integers(-8, 9, A.nnz) / 8).astype(np.float32)
    encoder = A.copy()
    encoder.data = (rng.integers(-8, 9, A.nnz) / 8).astype(np.float32)
    own = (rng.integers(0, 9, 120) / 8).astype(np.float32)
    X = random_sparse(70, 120, 0.1, format="csr", dtype=np.float32, random_state=2)
    X.data[:] = 1
    X.data[3] = 0
    for n in (1, 10, 300):
        ours = GpuIndex(A, encoder, own, DEVICE, dense).recommend(X, n, without_seen)
        theirs = SparseIndex(A, encoder.data, own).recommend(X, n, without_seen)
        for found, expected in zip(ours, theirs, strict=True):
            assert np.array_equal(found, expected)
    scores = (X @ encoder @ A.T).toarray() - X.toarray() * own
    assert np.array_equal(GpuIndex(A, encoder, own, DEVICE, dense).scores(X), scores)


@pytest.mark.parametrize("without_seen", [True, False])
def test_weights_on_a_gpu_score_and_rank_as_on_a_cpu(without_seen):
    """Multiples of 1/8: sums are exact and ties many; some items are hidden, and a zero stored."""
    from celsa_lib.retrieval import recommend_in_batches
    from celsa_lib.retrieval.gpu import GpuWeights

    rng = np.random.default_rng(0)
    B = (rng.integers(-8, 9, (40, 40)) / 8).astype(np.float32)
    X = csr_matrix((rng.random((70, 40)) < 0.2).astype(np.float32))
    X.data[3] = 0
    hidden = np.arange(40) % 5 == 0
    index = GpuWeights(B, DEVICE)
    assert np.array_equal(index.scores(X), X @ B)
    for n in (1, 10, 99):
        ours = index.recommend(X, n, without_seen, hidden)
        theirs = recommend_in_batches(lambda users: users @ B, X, n, without_seen, hidden)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not np.isin(ours[0], np.flatnonzero(hidden)).any()


def test_ease_is_scored_ranked_and_evaluated_on_a_gpu(monkeypatch, caplog):
    """In blocks of users; where there is no room, by the CPU, which says why. The weights are
    sent once for each time that the model is fitted.
    """
    from celsa_lib.models import ease
    from celsa_lib.retrieval import gpu

    X = make_synthetic(n_users=1100, n_items=N_ITEMS, n_segments=4, mean_interactions=6.0).X
    model = cl.EASE().fit(X)
    given = {"n": 4, "among": range(3, N_ITEMS), "without": [5]}
    scores, ranking = model.score(X), model.recommend(X, **given)
    folds = cl.holdout_folds(X, 1)
    quality = cl.evaluate(model, folds).mean
    placed, blocks, room, sent = gpu.GpuWeights, [], [True], []

    class Counted(placed):
        def __init__(self, weights, _):
            super().__init__(weights, DEVICE)
            sent.append(weights)

        def score(self, users, without_seen=False):
            if not room[0] or users.shape[0] > 300:
                raise torch.OutOfMemoryError("no room")
            blocks.append(users.shape[0])
            return super().score(users, without_seen)

    monkeypatch.setattr(gpu, "GpuWeights", Counted)
    monkeypatch.setattr(ease, "has_gpu", lambda: True)
    for room[0] in (True, False):
        blocks.clear()
        assert np.allclose(model.score(X), scores, atol=1e-5)
        found = model.recommend(X, **given)
        assert np.allclose(found[1], ranking[1], atol=1e-5)
        assert not np.isin(found[0], [0, 1, 2, 5]).any()
        assert cl.evaluate(model, folds).mean == pytest.approx(quality, abs=1e-3)
        assert (sum(blocks) > 3000) == room[0]
        assert ("scoring on the CPU, as the GPU has no room" in caplog.text) != room[0]
    assert np.array_equal(model.score(X[:5]), scores[:5])
    assert len(sent) == 1 and sent[0] is model.weights_
    room[0] = True
    monkeypatch.setattr(ease, "_inverse_on_gpu", lambda gram: None)
    again = model.set_params(reg=10.0).fit(X).score(X)
    assert len(sent) == 2 and np.allclose(again, X @ model.weights_, atol=1e-5)


def test_ranking_where_a_gpu_is_too_small(monkeypatch, caplog):
    """Smaller blocks down to one user; where not even one has room, the CPU's ranking."""
    from celsa_lib import embeddings
    from celsa_lib.retrieval import gpu

    X = make_synthetic(n_users=1100, n_items=N_ITEMS, n_segments=4, mean_interactions=6.0).X
    rows = (np.random.default_rng(0).integers(-8, 9, (N_ITEMS, 5)) / 8).astype(np.float32)
    embedded = cl.ItemEmbeddings(csr_matrix(rows))
    found, scores = embedded.recommend(X, 4), embedded.score(X)
    ranked, whole, most, blocks = gpu.ranked, gpu.GpuIndex.score, [300], []

    def with_room(scores, n):
        if len(scores) > most[0]:
            raise torch.OutOfMemoryError("no room")
        blocks.append(len(scores))
        return ranked(scores, n)

    def with_room_to_score(index, users, without_seen=False):
        if len(users.indptr) - 1 > most[0]:
            raise torch.OutOfMemoryError("no room")
        return whole(index, users, without_seen)

    monkeypatch.setattr(gpu, "ranked", with_room)
    monkeypatch.setattr(gpu.GpuIndex, "score", with_room_to_score)
    monkeypatch.setattr(embeddings, "has_gpu", lambda: True)
    placed = gpu.GpuIndex
    monkeypatch.setattr(gpu, "GpuIndex", lambda *parts: placed(*parts[:3], DEVICE, parts[4]))
    for room, fits in ((300, True), (0, False)):
        most[0] = room
        embedded = cl.ItemEmbeddings(csr_matrix(rows))
        again = embedded.recommend(X, 4)
        assert np.array_equal(embedded.score(X), scores)
        assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
        assert ("the GPU has no room: no room" in caplog.text) != fits
    assert sum(blocks) == X.shape[0] and max(blocks) <= 300
