"""The registry of methods: what it says agrees with the classes."""

import inspect
import subprocess
import sys

import pytest

from celsa_lib.errors import ConfigError
from celsa_lib.models import EmbeddingRecommender
from celsa_lib.models.registry import (
    BASELINES,
    METHODS,
    RECOMMENDED_RECIPE,
    SPARSE_SIZE,
    by_label,
    by_name,
)

WITH_CLASS = [method for method in METHODS if method.location and not method.package]
SMALL = {"width": 16, "code_width": 16, "nnz": 4, "epochs": 1, "sae_epochs": 1, "batch_size": 50}


def options_of(method) -> dict:
    """Small values for those of its parameters that it has; no progress bar."""
    parameters = inspect.signature(method.load()).parameters
    small = {name: value for name, value in SMALL.items() if name in parameters}
    if method.fixed == RECOMMENDED_RECIPE and method.size == SPARSE_SIZE:
        del small["width"]  # that of anchored rows is the number of items
    return small | ({"progress": False} if method.trained else {})


@pytest.mark.parametrize("method", WITH_CLASS, ids=lambda m: m.label)
def test_an_entry_agrees_with_its_class(method):
    cls = method.load()
    assert cls.__name__ == method.name
    assert by_name(method.name).load() is cls and by_label(method.label) is method
    assert method.name == "ELSA" or cls.name == by_name(method.name).label
    assert method.trained == ("seed" in inspect.signature(cls).parameters)


@pytest.mark.parametrize("method", [m for m in WITH_CLASS if m.size], ids=lambda m: m.label)
def test_the_parameter_of_the_size_decides_the_bytes(method, histories):
    parameter, each = method.size
    for value in (4, 8):
        model = method.make(**options_of(method) | {parameter: value}).fit(histories)
        assert model.bytes_per_item == each * value


@pytest.mark.parametrize("method", WITH_CLASS, ids=lambda m: m.label)
def test_only_models_trained_by_gradient_have_a_history(method, histories):
    model = method.make(**options_of(method)).fit(histories)
    assert method.trained == isinstance(model, EmbeddingRecommender)
    assert method.trained == hasattr(model, "history_")


def test_no_label_or_marker_stands_twice():
    for field in ("label", "marker"):
        values = [getattr(method, field) for method in METHODS]
        assert len(set(values)) == len(values)


def test_elsa_is_the_dense_one_unless_a_budget_is_meant():
    assert by_name("ELSA").label == "ELSA" and not by_name("ELSA").compressed
    assert by_name("ELSA", compressed=True).at(64) == {"width": 16}
    assert by_name("CompressedELSA").at(64) == {"nnz": 8}


def test_methods_of_one_class_are_told_apart_by_what_is_fixed():
    recommended = {"recipe": "recommended", "epochs": 3}
    assert by_name("CompressedELSA").label == "Compressed ELSA"
    assert by_name("CompressedELSA", params=recommended).label == "Recommended setting"
    assert by_name("ELSA", True, recommended).label == "Low-dim ELSA, regularised"
    assert by_name("EASE", params=recommended).label == "EASE"
    assert by_name("PrunedEASE", params={"nnz": 8, "refit": True}).label == "Pruned EASE"
    threshold = {"nnz": 8, "support": "matrix"}
    assert by_name("PrunedEASE", params=threshold).label == "EASE, one threshold"
    refitted = by_name("PrunedEASE", params=threshold | {"refit": True})
    assert refitted.label == "EASE, threshold, refitted" and refitted.make(nnz=3).refit
    assert BASELINES == ("Pruned EASE", "Low-dim ELSA", "ELSA + SAE")


def test_a_parameter_that_a_method_does_not_have_is_answered_with_those_it_has():
    with pytest.raises(ConfigError, match="EASE has no parameter nzn; it has nnz, refit, reg"):
        by_name("PrunedEASE").make(nzn=3)


def test_an_unknown_method_is_answered_with_those_there_are():
    with pytest.raises(
        ConfigError, match='"Elsa"; choose one of CompressedELSA, PrunedEASE, PrunedEDLAE'
    ):
        by_name("Elsa")
    with pytest.raises(ConfigError, match="there is Compressed ELSA, Recommended setting"):
        by_label("compressed")
    with pytest.raises(ConfigError, match="come with the data"):
        by_name("Released").load()


def test_the_registry_needs_neither_torch_nor_numpy():
    """Read without the top package, whose own imports are another matter."""
    program = """if True:
        import sys, types
        from importlib.util import find_spec
        top = types.ModuleType("celsa_lib")
        top.__path__ = find_spec("celsa_lib").submodule_search_locations
        sys.modules["celsa_lib"] = top
        from celsa_lib.models.registry import METHODS
        print(sorted({"torch", "numpy", "scipy", "pandas", "numba"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
