"""The training step against the equations written out, and what pruning promises."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError
from celsa_lib.models.compressed import train
from celsa_lib.training import (
    Callback,
    Stage,
    TrainingOptions,
    initial_embeddings,
    sparsify_rows,
    top_k_mask,
    unit_rows,
)
from celsa_lib.training.batches import (
    most_interactions,
    shuffled_batches,
    user_batch,
    users_of_epoch,
)
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.objective import predict, reconstruction_loss
from celsa_lib.training.rows import Rows
from celsa_lib.training.stage import StageTrainer

CPU = torch.device("cpu")
QUIET = TrainingOptions(batch_size=64, progress=False)


def textbook_loss(A, X, cap=None):
    """The loss with dense X and A, as the paper writes it."""
    prediction = torch.relu(X @ A @ A.T - X)
    if cap:
        prediction = prediction.clamp(max=cap)
    normalise = torch.nn.functional.normalize
    return ((normalise(X, dim=1) - normalise(prediction, dim=1)) ** 2).mean()


@pytest.mark.parametrize("cap", [None, 0.5])
def test_loss_and_gradient_are_the_textbook_ones(histories, cap):
    users = np.arange(0, 300, 7)
    batch = user_batch(histories, users, CPU)
    X = torch.from_numpy(histories[users].toarray())
    A = unit_rows(torch.randn(60, 12, generator=torch.Generator().manual_seed(0)))
    ours, theirs = A.clone().requires_grad_(), A.clone().requires_grad_()
    loss, expected = reconstruction_loss(ours, batch, cap), textbook_loss(theirs, X, cap)
    assert torch.allclose(predict(A, batch), X @ A @ A.T - X, atol=1e-5)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward(), expected.backward()
    error = (ours.grad - theirs.grad).norm() / theirs.grad.norm()
    assert error < 1e-5


@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 999), st.booleans())
@settings(max_examples=60, deadline=None)
def test_top_k_keeps_the_largest(items, width, seed, ties):
    generator = torch.Generator().manual_seed(seed)
    A = torch.randn(items, width, generator=generator)
    if ties:
        A = A.round()
    nnz = seed % width + 1
    mask = top_k_mask(A, nnz)
    assert (mask.sum(dim=1) == nnz).all()
    smallest_kept = A.abs().masked_fill(~mask, torch.inf).amin(dim=1)
    largest_dropped = A.abs().masked_fill(mask, 0).amax(dim=1)
    assert (smallest_kept >= largest_dropped).all()
    norms = sparsify_rows(A, nnz).norm(dim=1)
    filled = A.abs().amax(dim=1) > 0
    assert torch.allclose(norms[filled], torch.ones(int(filled.sum())), atol=1e-5)
    assert (norms[~filled] == 0).all()


def test_an_epoch_sees_every_user_once(histories):
    batches = list(shuffled_batches(histories, 64, np.random.default_rng(0), CPU))
    assert sum(batch.size for batch in batches) == 300
    assert sum(len(batch.items) for batch in batches) == histories.nnz


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=40).filter(any),
    st.floats(0.1, 2.0),
    st.integers(0, 99),
)
def test_long_histories_are_drawn_more_often(lengths, exponent, seed):
    """As often as expected, rounded down or up; the same number of users, none without items."""
    X = csr_matrix([[1.0] * length + [0.0] * (30 - length) for length in lengths])
    drawn = users_of_epoch(X, exponent, np.random.default_rng(seed))
    shares = np.array(lengths, float) ** exponent
    expected = shares / shares.sum() * np.count_nonzero(lengths)
    times = np.bincount(drawn, minlength=len(lengths))
    assert len(drawn) == np.count_nonzero(lengths)
    assert (abs(times - expected) < 1 + 1e-9).all() and not times[np.equal(lengths, 0)].any()
    assert X[drawn].nnz <= most_interactions(X, exponent, len(drawn))
    assert X[drawn[:5]].nnz <= most_interactions(X, exponent, 5)


def test_users_drawn_by_length_are_another_draw_each_epoch(histories):
    draws = [users_of_epoch(histories, 0.5, np.random.default_rng(seed)) for seed in range(200)]
    shares = np.sqrt(np.diff(histories.indptr))
    times = sum(np.bincount(drawn, minlength=300) for drawn in draws) / 200
    np.testing.assert_allclose(times, shares / shares.mean(), atol=0.2)


def trained(histories, stages, restart, options=QUIET) -> torch.Tensor:
    ((rows, *_),) = train(histories, 16, [stages], restart, options)
    return torch.from_numpy(rows.toarray())


def test_restart_returns_survivors_to_their_start(histories):
    """With no step after the last prune, the rows are the initial values of the survivors."""
    options = TrainingOptions(batch_size=64, progress=False, seed=5)
    stages = [Stage(16, 2), Stage(4, 0)]
    initial = initial_embeddings(60, 16, 5)
    long = trained(histories, stages[:1], False, options)
    mask = top_k_mask(long, 4)
    restarted = trained(histories, stages, True, options)
    continued = trained(histories, stages, False, options)
    assert torch.allclose(restarted, unit_rows(initial * mask), atol=1e-6)
    assert torch.allclose(continued, unit_rows(long * mask), atol=1e-6)


def test_a_pruned_entry_never_comes_back(histories):
    stages = [Stage(16, 1), Stage(6, 1), Stage(3, 2)]
    one = trained(histories, stages[:2], False)
    two = trained(histories, stages, False)
    assert ((two != 0) <= (one != 0)).all()
    assert ((two != 0).sum(dim=1) == 3).all()


def test_constant_support_may_move(histories):
    short = trained(histories, [Stage(3, 1, dynamic=True)], False)
    start = top_k_mask(initial_embeddings(60, 16, 0), 3)
    assert ((short != 0) != start).any()


def test_a_straight_through_step_by_hand(histories):
    """All values move by NAdam's step down the gradient that autograd sends through the mask."""
    options = TrainingOptions(batch_size=300, progress=False, backend="dense")
    stage = Stage(3, 1, dynamic=True, straight_through=True)
    start = initial_embeddings(60, 16, 0)
    A = start.clone()
    masked = (A * top_k_mask(A, 3)).requires_grad_()
    batch = user_batch(histories, np.arange(300), CPU)
    reconstruction_loss(unit_rows(masked), batch).backward()
    Nadam.start(A).step(A, masked.grad, options.learning_rate, options.epsilon)
    rows = Rows(start, torch.arange(16, dtype=torch.int32).expand(60, 16).contiguous(), 16)
    StageTrainer(rows, Nadam.start(rows.values), stage, options, histories).step(batch)
    assert torch.allclose(rows.values, A, atol=1e-4)
    outside = ~top_k_mask(initial_embeddings(60, 16, 0), 3)
    assert (rows.values != initial_embeddings(60, 16, 0))[outside].float().mean() > 0.9


def test_a_moving_support_ends_at_its_budget(histories):
    model = cl.CompressedELSA(16, 3, epochs=2, support="moving", batch_size=64, progress=False)
    model.fit(histories)
    assert (np.diff(model.item_embeddings.matrix.indptr) == 3).all()
    assert all(stage.straight_through == (stage.nnz < 16) for stage in model.stages)
    with pytest.raises(ConfigError, match="a moving support choose the support at every step"):
        cl.CompressedELSA(16, 3, support="moving", weight_averaging=0.2)


def test_loss_falls_and_same_seed_gives_same_bits(histories):
    fit = lambda seed: cl.CompressedELSA(  # noqa: E731
        32, 4, epochs=3, batch_size=64, seed=seed, progress=False
    ).fit(histories)
    one, same, other = fit(0), fit(0), fit(1)
    assert one.history_[-1]["loss"] < one.history_[0]["loss"] * 1.02
    assert (one.item_embeddings.matrix != same.item_embeddings.matrix).nnz == 0
    assert (one.item_embeddings.matrix != other.item_embeddings.matrix).nnz > 0


def test_optimiser_is_keras_nadam_by_hand():
    """One NAdam step at ε = 1e-7: μ_t = 0.9(1 − 0.5·0.96^(0.004 t)), the formula Keras uses."""
    g, lr, eps = 3e-7, 0.1, 1e-7
    mu1, mu2 = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in (1, 2))
    m, v = 0.1 * g, 0.001 * g**2
    m_hat = mu2 * m / (1 - mu1 * mu2) + (1 - mu1) * g / (1 - mu1)
    expected = -lr * m_hat / ((v / (1 - 0.999)) ** 0.5 + eps)
    x = torch.zeros(1, 1)
    Nadam.start(x).step(x, torch.full((1, 1), g), lr, eps)
    assert x.item() == pytest.approx(expected, rel=1e-5)


def test_optimiser_is_torchs_nadam():
    """Many steps with gradients of the usual size, on the kernel and on the formula for a GPU."""
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(7, 5, generator=generator)
    theirs = ours.clone().requires_grad_()
    formula = ours.to(torch.float64)
    optimiser = torch.optim.NAdam([theirs], lr=0.1, eps=1e-7)
    state, other = Nadam.start(ours), Nadam.start(formula)
    for _ in range(50):
        gradient = 1e-6 * torch.randn(7, 5, generator=generator)
        theirs.grad = gradient
        optimiser.step()
        state.step(ours, gradient.clone(), 0.1, 1e-7)
        other.formula(formula, gradient.double(), 0.1, 1e-7)
    assert torch.allclose(ours, theirs.detach(), rtol=1e-4, atol=1e-5)
    assert torch.allclose(formula.float(), theirs.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:overflow")
def test_divergence_is_named(histories):
    with pytest.raises(cl.CelsaError, match="lower learning_rate"):
        cl.ELSA(8, epochs=3, learning_rate=1e300, progress=False).fit(histories)


def test_a_k_that_repeats_is_neither_pruned_nor_restarted(histories, monkeypatch):
    """The paper restarts after a pruning step: at equal k rows and optimiser go on."""
    stages = cl.CompressedELSA(16, 2, epochs=4, progress=False).stages
    ks = [stage.nnz for stage in stages]
    assert len(set(ks)) == len(ks) and max(stage.epochs for stage in stages[:-1]) > 1
    restarts = []
    restarted = Rows.restarted
    monkeypatch.setattr(
        Rows, "restarted", lambda *rows: restarts.append(rows[0].nnz) or restarted(*rows)
    )
    model = cl.CompressedELSA(16, 2, epochs=4, batch_size=64, progress=False).fit(histories)
    assert restarts == ks[1:]
    assert [e["nnz"] for e in model.history_] == [s.nnz for s in stages for _ in range(s.epochs)]


def test_a_mean_belongs_to_its_stage(histories):
    """A second stage with the same k begins with the values, not with the mean of the first."""
    seen = []
    look = type("Look", (Callback,), {"epoch": lambda self, _, rows: seen.append(rows)})()
    options = replace(QUIET, weight_averaging=0.3, batch_size=64)
    train(histories, 16, [[Stage(16, 1), Stage(8, 2), Stage(8, 2)]], False, options, [look])
    assert not torch.equal(seen[2].values, seen[3].values)


def test_unknown_device_is_an_error(histories):
    with pytest.raises(cl.CelsaError, match="""'abacus'; .* may be "auto", "cpu\""""):
        cl.ELSA(8, device="abacus").fit(histories)


def test_the_first_line_of_the_log_names_device_and_precision(histories, caplog):
    with caplog.at_level("INFO", "celsa_lib.training"):
        cl.CompressedELSA(16, nnz=4, epochs=1, progress=False, device="cpu").fit(histories)
    assert caplog.messages[0].startswith("training on CPU") and "float32" in caplog.messages[0]


FORKED = """
import multiprocessing, sys
import celsa_lib as cl
from celsa_lib.data import make_synthetic

X = make_synthetic(n_users=300, n_items=60, n_segments=5).X
model = cl.CompressedELSA(nnz=4, recipe="recommended", epochs=1, progress=False).fit(X)

def recommend(_):
    return model.recommend(X[:3], n=2)[0].tolist()

def train(_):
    try:
        cl.CompressedELSA(nnz=4, recipe="recommended", epochs=1, progress=False).fit(X)
    except cl.CelsaError as error:
        return str(error)
    return "trained"

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(recommend, [0, 1]).get(60) == 2 * [recommend(0)]
    print(pool.apply_async(train, [0]).get(60))
"""


def test_a_forked_process_serves_and_says_at_once_that_it_cannot_train():
    """Threads of OpenMP do not survive a fork: a training would end the process, or wait."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert 'get_context("spawn")' in done.stdout, done.stderr
