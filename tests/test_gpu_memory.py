"""A GPU's memory is counted before training begins: a smaller window of an epoch, or an error."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is first imported

import celsa_lib as cl
from celsa_lib.errors import TrainingError
from celsa_lib.training import TrainingOptions, memory
from celsa_lib.training.memory import (
    Sizes,
    bytes_kept,
    bytes_of_stage,
    bytes_of_window,
    cut_that_fits,
    shortage_named,
)
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage
from celsa_lib.training.plan import make_plan
from celsa_lib.training.rows import full_rows

DEVICE, PLENTY = torch.device("cpu"), 2**40
PLAN = make_plan([[Stage(32, 1), Stage(8, 1), Stage(4, 1)], [Stage(32, 1), Stage(2, 1)]])


@pytest.fixture
def sizes(histories) -> Sizes:
    return Sizes(histories, 32, TrainingOptions(batch_size=16), triton=True)


@pytest.fixture
def free(monkeypatch):
    """Sets the bytes that the GPU is said to have free."""
    return lambda n: monkeypatch.setattr(memory, "free_memory", lambda device: (n, PLENTY))


def needed(sizes: Sizes, window: int) -> int:
    """Bytes at the stage of 8 nonzeros: its rows are written out, and those before it are kept."""
    largest = bytes_of_stage(Stage(8, 1), sizes) + bytes_kept(PLAN, 2, sizes)
    return memory.RESERVE + largest + bytes_of_window(window, sizes)


def test_the_window_shrinks_until_all_stages_fit(sizes, free):
    longest = sizes.options.steps_per_epoch(sizes.X)
    assert longest > 8
    for window in (longest, longest // 2, longest // 4):
        free(needed(sizes, window))
        assert cut_that_fits(PLAN, 0, sizes, DEVICE, []) == (window, 1)
    free(needed(sizes, 1) - 1000)
    held = [torch.zeros(250)]  # what was restored lies there, and is not needed again
    assert cut_that_fits(PLAN, 0, sizes, DEVICE, held) == (1, 1)


def test_a_batch_that_has_no_room_is_worked_off_in_parts(sizes, free, caplog):
    """Half of it, a quarter, down to 32 users; what is counted of a part is less."""
    sizes = replace(sizes, options=TrainingOptions(batch_size=128))
    halves = replace(sizes, parts=2)
    assert (sizes.lanes, halves.lanes) == (128, 64)
    free(needed(sizes, 1))
    assert cut_that_fits(PLAN, 0, sizes, DEVICE, []) == (1, 1)
    free(needed(sizes, 1) - 1)
    with caplog.at_level("INFO", "celsa_lib.training"):
        assert cut_that_fits(PLAN, 0, sizes, DEVICE, []).parts == 2
    assert "the GPU's memory is short: batches in 2 parts" in caplog.messages
    quarters = replace(sizes, parts=4)
    free(needed(quarters, 1))
    assert cut_that_fits(PLAN, 0, sizes, DEVICE, []) == (1, 4)
    free(needed(quarters, 1) - 1)
    with pytest.raises(TrainingError, match="at nnz 8 and with 32 users at once"):
        cut_that_fits(PLAN, 0, sizes, DEVICE, [])


def test_a_gpu_that_is_too_small_is_named_with_what_it_needs(sizes, free):
    bytes_free = needed(sizes, 1) - 1
    free(bytes_free)
    with pytest.raises(
        TrainingError, match=r"32 users at once, and 0\.\d+ of its 1099\.51 GB are free"
    ) as e:
        cut_that_fits(PLAN, 0, sizes, DEVICE, [])
    assert f"needs {(bytes_free + 1) / 1e9:.2f} GB" in str(e.value)
    assert "lower nnz or width (now 32)" in str(e.value)


def test_only_stages_that_are_left_count(sizes, free):
    """After the dense stage its rows still lie there: another path starts from them."""
    assert [node.stage.nnz for node in PLAN.nodes] == [32, 2, 8, 4]
    n_items = sizes.X.shape[1]
    kept = [bytes_kept(PLAN, n, sizes) for n in range(4)]
    assert kept == [0, 8 * 32 * n_items, 8 * 32 * n_items, 8 * 8 * n_items]
    free(needed(sizes, 1) - 1)
    assert cut_that_fits(PLAN, 3, sizes, DEVICE, []).window >= 1
    assert cut_that_fits(PLAN, 4, sizes, DEVICE, []).window >= 1


def test_on_a_cpu_nothing_is_counted(sizes):
    assert memory.free_memory(DEVICE) is None
    every = sizes.options.steps_per_epoch(sizes.X)
    assert cut_that_fits(PLAN, 0, sizes, DEVICE, []) == (every, 1)


def test_a_training_ends_before_its_first_epoch(histories, free):
    """Also where steps are torch's: what a moving support or sampled outputs need counts too."""
    free(10_000)
    for options in ({"backend": "triton"}, {"schedule": "constant"}):
        seen = []
        model = cl.CompressedELSA(32, 4, epochs=1, device="cpu", progress=False, **options)
        model.callbacks = [type("Seen", (cl.training.Callback,), {"epoch": seen.append})()]
        with pytest.raises(cl.CelsaError, match="GB on the GPU"):
            model.fit(histories)
        assert not seen


NO_ROOM = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 15.77 GiB"
)


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (NO_ROOM, "another 2.50 GiB"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "another array"),
        (RuntimeError("CUDA error: out of memory"), "another array"),
    ],
)
def test_what_was_not_counted_is_named_with_its_bytes(free, error, asked):
    free(3 * 10**9)
    with pytest.raises(TrainingError) as found, shortage_named(DEVICE):
        raise error
    assert str(found.value).startswith(f"the GPU has no room for {asked}, and 3.00 of its 1099.51")
    with pytest.raises(RuntimeError, match="shapes do not match"), shortage_named(DEVICE):
        raise RuntimeError("shapes do not match")


def test_every_training_names_it(histories, monkeypatch, free):
    """Never torch's own error, whichever way a model is trained."""
    options = {"epochs": 1, "progress": False, "device": "cpu"}
    elsa = cl.ELSA(8, **options).fit(histories)
    free(3 * 10**9)

    def refuse(*_):
        raise NO_ROOM

    for where in ("celsa_lib.training.nadam.Nadam.step", "torch.optim.Adam.step"):
        monkeypatch.setattr(where, refuse)
    small = {"code_width": 32, "nnz": 4, "sae_epochs": 1}
    trainings = (
        lambda: cl.ELSA(8, **options).fit(histories),
        lambda: cl.CompressedELSA(16, 4, **options).fit_budgets(histories, [4, 8]),
        lambda: cl.SparseAutoencoderELSA.from_elsa(elsa, **small),
    )
    for train in trainings:
        with pytest.raises(TrainingError, match=r"no room for another 2\.50 GiB"):
            train()


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("nnz", [2, 20, 32])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_counted_is_no_less_than_what_is_there(histories, nnz, precision, parts):
    """Tensors of a stage's rows, moments and trainer, and of the batches, by their storage."""
    pytest.importorskip("triton")
    from celsa_lib.training.gpu import Epochs, gpu_trainer

    options = TrainingOptions(batch_size=64, precision=precision, weight_averaging=0.5)
    sizes = Sizes(histories, 32, options, triton=True, parts=parts)
    epochs = Epochs(histories, options, DEVICE, 2, parts)
    rows = full_rows(torch.randn(histories.shape[1], 32))
    rows = rows if nnz == 32 else rows.prune(nnz)
    stage = Stage(nnz, 1)
    trainer = gpu_trainer(rows, Nadam.start(rows.values), stage, options, epochs)
    extra = trainer.low * rows.width * epochs.lanes * 2 if hasattr(trainer, "low") else 0
    assert stored(rows, trainer.optimiser, trainer) + extra <= bytes_of_stage(stage, sizes)
    next(epochs.windows(np.random.default_rng(0)))
    assert stored(epochs) <= bytes_of_window(2, sizes)


def stored(*owners) -> int:
    """Bytes of the tensors that objects hold, each storage once."""
    tensors = [part for one in owners for part in vars(one).values() if torch.is_tensor(part)]
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({one.data_ptr(): one.nbytes() for one in storages}.values())


def test_rows_of_any_length_and_steps_of_torch_are_counted(sizes):
    stage = Stage(2, 1)
    ragged = replace(sizes, nonzeros=5 * sizes.X.shape[1])
    assert bytes_of_stage(stage, ragged) > bytes_of_stage(stage, sizes)
    by_torch = replace(sizes, triton=False)
    assert bytes_of_stage(stage, by_torch) >= bytes_of_stage(replace(stage, dynamic=True), sizes)
    assert bytes_of_window(3, by_torch) == 0
