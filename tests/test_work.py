"""How much a study has to compute: by hand, and against what is really trained."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import celsa_lib as cl
from celsa_lib import experiments
from celsa_lib.experiments import work
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.results import Result
from celsa_lib.training import stage


def config(*methods, seeds=(0,)):
    return ExperimentConfig("synthetic", methods, n_test=10, n_val=10, seeds=seeds)


def test_elsa_by_hand():
    """Three products of 2·100·20·8 an epoch, 5 epochs: two rates tried, one kept for two seeds."""
    elsa = MethodConfig("ELSA", {"width": 8, "epochs": 5}, {"learning_rate": (0.1, 0.3)})
    found = work.operations_of(config(elsa, seeds=(0, 1)), users=100, items=20)
    assert found == 3 * 2 * 100 * 20 * 8 * 5 * (2 + 2)


def test_an_autoencoder_shares_its_dense_rows():
    """Two sizes on one dense ELSA, and the encoder's two products for each of them."""
    params = {"width": 8, "epochs": 2, "learning_rate": 0.1, "code_width": 16, "sae_epochs": 3}
    sizes = [MethodConfig("SparseAutoencoderELSA", params | {"nnz": nnz}) for nnz in (2, 4)]
    found = work.operations_of(config(*sizes), users=100, items=20)
    assert found == 6 * 100 * 20 * 8 * 2 + 2 * (4 * 20 * 8 * 16 * 3)


def test_dense_rows_count_with_any_recipe():
    """Regularised ones have the recipe's ten epochs, and an autoencoder a dense ELSA of its own."""
    given = {"width": 8, "recipe": "recommended"}
    codes = {"code_width": 16, "sae_epochs": 3, "nnz": 2, "sae_learning_rate": 0.03}
    elsa = MethodConfig("ELSA", given)
    sae = MethodConfig("SparseAutoencoderELSA", given | codes)
    anchored = MethodConfig("CompressedELSA", {"nnz": 2, "recipe": "recommended"})
    of_elsa = 6 * 100 * 20 * 8 * 10
    found = work.operations_of(config(elsa, sae, anchored), users=100, items=20)
    assert found == 2 * of_elsa + 4 * 20 * 8 * 16 * 3
    unregularised = {"width": 8, "epochs": 10, "learning_rate": 0.1} | codes
    both = config(sae, MethodConfig("SparseAutoencoderELSA", unregularised))
    assert work.operations_of(both, 100, 20) == 2 * (of_elsa + 4 * 20 * 8 * 16 * 3)


def test_what_has_a_closed_form_is_not_trained():
    ease = MethodConfig("EASE", {}, {"reg": (1.0, 2.0)})
    assert work.operations_of(config(ease), users=100, items=20) == 0


@pytest.mark.parametrize("schedule", ["exponential", "step-wise", "constant"])
def test_compressed_elsa_counts_the_epochs_that_are_trained(schedule, monkeypatch):
    """Against the epochs that a run of all sizes really trains."""
    params = {"width": 32, "epochs": 2, "batch_size": 64, "schedule": schedule}
    methods = [MethodConfig("CompressedELSA", params | {"nnz": nnz}) for nnz in (4, 2)]
    small = {"n_users": 200, "n_items": 50, "n_segments": 4}
    wanted = replace(config(*methods), data_params=small)
    epochs = []
    batches = stage.shuffled_batches

    def counted(*arguments):
        epochs.append(1)
        return batches(*arguments)

    monkeypatch.setattr(stage, "shuffled_batches", counted)
    experiments.run(wanted)
    found = work.operations_of(wanted, users=200, items=50)
    assert found == 6 * 200 * 50 * 32 * len(epochs)


def test_the_page_says_what_is_expected_of_a_gpu():
    """Column of book/reproduce.md: training of each study, as this module counts it."""
    page = Path("book/reproduce.md").read_text()
    lines = re.findall(r"`celsa study ([\w-]+)` \| [^|]+ \| ([\d,]+) \|", page)
    expected = {name: work.gpu_minutes(name) for name in experiments.STUDIES}
    assert {name: int(text.replace(",", "")) for name, text in lines}.items() <= expected.items()
    assert {"goodbooks-10k", "ml-20m", "netflix-prize"} <= {name for name, _ in lines}


def test_a_study_of_synthetic_data_is_as_large_as_its_parameters_say(monkeypatch):
    """Users and items of make_synthetic, not the defaults that the registry has."""
    asked = []
    monkeypatch.setattr(work, "operations_of", lambda config, *size: asked.append(size) or 0)
    work.gpu_minutes("synthetic-3500")
    work.gpu_minutes("synthetic")
    assert asked == [(5_000, 3_500), (6_000, 3_000)]


def test_minutes_on_a_gpu_are_its_rate_times_the_work():
    """Made at 2 seconds for what the cost model counts: a study of as much takes those seconds."""
    params = {"width": 32, "nnz": 4, "epochs": 2, "schedule": "exponential", "batch_size": 64}
    row = {"section": "training", "what": "paper", "device": "cuda", "params": params}
    manifest = {"runs": {}, "training_users": 200, "items": 50}
    found = {}
    for seconds in (60.0, 120.0):
        stored = Result(manifest, [row | {"seconds": seconds}])
        found[seconds] = work.minutes_on_gpu(["netflix-prize"], stored)["minutes"].item()
    made = work._operations([(MethodConfig("CompressedELSA", params), 0)], 200, 50)
    info = cl.dataset_info("netflix-prize")
    asked = work.operations_of(experiments.study("netflix-prize").config(), info.users, info.items)
    assert found[60.0] == round(asked / made)
    assert found[120.0] == pytest.approx(2 * found[60.0], abs=1)
