"""The registry of methods: what it says agrees with the classes."""

import inspect
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from conformance import methods_here, parameters_of
from stored_rows import method_row

from celsa_lib import models, report
from celsa_lib.errors import ConfigError, check_count, check_positive
from celsa_lib.experiments.profiles import further_baselines, settings_for
from celsa_lib.models import EmbeddingRecommender, Recommender, registry
from celsa_lib.models.pruned import prune_rows
from celsa_lib.models.registry import (
    BASELINES,
    METHODS,
    SPARSE_SIZE,
    Method,
    by_label,
    by_name,
)
from celsa_lib.report.style import mark
from celsa_lib.results import Result

WITH_CLASS = methods_here()
SMALL = {"width": 16, "code_width": 16, "nnz": 4, "epochs": 1, "sae_epochs": 1, "batch_size": 50}


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
        model = method.make(**parameters_of(method, **SMALL) | {parameter: value}).fit(histories)
        assert model.bytes_per_item == each * value


@pytest.mark.parametrize("method", WITH_CLASS, ids=lambda m: m.label)
def test_only_models_trained_by_gradient_have_a_history(method, histories):
    model = method.make(**parameters_of(method, **SMALL)).fit(histories)
    assert method.trained == isinstance(model, EmbeddingRecommender)
    assert method.trained == hasattr(model, "history_")


@dataclass(eq=False, repr=False)
class Cosine(Recommender):
    """A baseline that nobody has listed anywhere: cosines of items, the `nnz` largest of each."""

    name = "Cosine neighbours"

    reg: float = 1.0
    nnz: int = 16

    def check_parameters(self) -> None:
        check_positive(reg=self.reg)
        check_count(nnz=self.nnz)

    @property
    def bytes_per_item(self) -> int:
        return 8 * self.nnz

    def _fit(self, X) -> None:
        gram = (X.T @ X).toarray().astype(np.float64)
        lengths = np.sqrt(np.diag(gram) + self.reg)
        np.fill_diagonal(gram, 0)
        self.weights_ = prune_rows(gram / np.outer(lengths, lengths), self.nnz)

    def _score(self, X) -> np.ndarray:
        return np.asarray((X @ self.weights_.T).toarray(), dtype=np.float32)


@pytest.fixture
def registered(monkeypatch):
    """An entry for Cosine, wherever the registry's methods and families are looked up."""
    entry = Method(
        "Cosine", Cosine.name, f"{__name__}:Cosine", "#123456", "$c$", SPARSE_SIZE,
        grid={"reg": (1.0, 3.0)},
    )  # fmt: skip
    longer = {"METHODS": (*METHODS, entry), "FAMILIES": (*registry.FAMILIES, entry.label)}
    for name, values in longer.items():
        usual = getattr(registry, name)
        for module in [m for k, m in sys.modules.items() if k.startswith("celsa_lib")]:
            if vars(module).get(name) is usual:
                monkeypatch.setattr(module, name, values)
    monkeypatch.setitem(registry.BY_LABEL, entry.label, entry)
    return entry


def test_a_class_and_an_entry_are_a_new_baseline(registered, checkerboard):
    """It is in the studies, in tables, in figures and in the tests of every model."""
    settings = settings_for("smoke", "ml-100k")
    study = [m for m in further_baselines(settings) if m.name == "Cosine"]
    assert [m.params["nnz"] for m in study] == [16, 8] and study[0].grid == registered.grid
    assert registered in methods_here()
    model = registered.make(**parameters_of(registered, nnz=3, width=4, reg=2.0))
    assert model.fit(checkerboard).bytes_per_item == 24 and model.reg == 2.0
    row = method_row(method="Cosine", label=by_name("Cosine").label, params={"nnz": 8})
    manifest = {"data": {"name": "synthetic"}, "config": {"seeds": [0]}, "runs": {}}
    shown = report.shown(Result(manifest, [row]))
    assert shown.frame()["label"].tolist() == [Cosine.name]
    (line,) = shown.figure().axes[0].containers
    assert line.get_label() == Cosine.name and line[0].get_color() == registered.colour
    assert mark(Cosine.name) == registered.marker


def test_every_class_of_the_registry_is_a_public_name():
    for method in METHODS:
        assert not method.location or method.name in models.__all__
    assert models.Recommender is Recommender and models.SparseMRF.__name__ == "SparseMRF"


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
    assert by_name("ELSA", params=recommended).label == "ELSA, regularised"
    codes = {"nnz": 8, "sae_epochs": 30, "sae_learning_rate": 0.03} | recommended
    assert by_name("SparseAutoencoderELSA", params=codes).label == "ELSA + SAE, regularised"
    assert by_name("EASE", params=recommended).label == "EASE"
    assert by_name("PrunedEASE", params={"nnz": 8, "refit": True}).label == "EASE, by row, refitted"
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
