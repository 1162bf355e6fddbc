"""Models fitted on the same users; what several of them need is made once."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

from scipy.sparse import csr_matrix

from celsa_lib.experiments.config import GRADIENT_METHODS
from celsa_lib.models import (
    EASE,
    ELSA,
    CompressedELSA,
    Popularity,
    PrunedEASE,
    Recommender,
    SparseAutoencoderELSA,
)

MODELS = {
    "EASE": EASE,
    "ELSA": ELSA,
    "CompressedELSA": CompressedELSA,
    "Popularity": Popularity,
    "PrunedEASE": PrunedEASE,
    "SparseAutoencoderELSA": SparseAutoencoderELSA,
}


def path_of(name: str, params: dict, seed: int) -> str:
    """What Compressed ELSA's budgets of one path have in common."""
    return json.dumps([name, _without_nnz(params), seed], sort_keys=True)


def order_of(name: str, params: dict, seed: int) -> str:
    """A key to sort models by: those of one path, or of one inversion, follow one another."""
    return path_of("EASE" if name == "PrunedEASE" else name, params, seed)


def _without_nnz(params: dict) -> dict:
    return {key: value for key, value in params.items() if key != "nnz"}


class Fits:
    """Fitted models of the users X, for one (method, params, seed) at a time.

    An inversion (EASE) or a dense ELSA that others are made of is kept. Budgets of Compressed ELSA
    that differ in nnz alone come from one path. Ask in the order of `order_of`.
    """

    def __init__(self, X: csr_matrix, checkpoint: Path | None = None):
        self.X, self.checkpoint = X, checkpoint
        self.base: dict = {"key": None}
        self.expected: dict[str, set[int]] = {}
        self.path: dict = {"key": None}

    def expect(self, models: Iterable[tuple[str, dict, int]]) -> None:
        """Say which models will be asked for, so that a path is trained for all its budgets."""
        for name, params, seed in models:
            if name == "CompressedELSA":
                self.expected.setdefault(path_of(name, params, seed), set()).add(params["nnz"])

    def fitted(self, name: str, params: dict, seed: int) -> Recommender:
        """The model `name` with `params`, fitted on X. Raises CelsaError."""
        if name == "CompressedELSA":
            return self._on_path(params, seed)
        if name in GRADIENT_METHODS:
            params = params | {"seed": seed, "progress": False}
        if name == "EASE":
            return self._base(EASE, params)
        model = MODELS[name](**params)
        if name == "PrunedEASE":
            return model.fit(self.X, base=self._base(EASE, {"reg": model.reg}))
        if name == "SparseAutoencoderELSA":
            options = {"width": model.width, "epochs": model.epochs} | vars(model.options)
            return model.fit(self.X, base=self._base(ELSA, options))
        return model.fit(self.X)

    def about(self, name: str, params: dict) -> dict:
        """For a row of Compressed ELSA: its path's budgets and seconds, [nnz, active latents, loss]
        after each epoch.
        """
        if name != "CompressedELSA":
            return {}
        history = self.path["models"][params["nnz"]].history
        return {
            "path": {"budgets": sorted(self.path["models"]), "seconds": self.path["seconds"]},
            "epochs": [[e["nnz"], e["active"], float(f"{e['loss']:.4g}")] for e in history],
        }

    def _on_path(self, params: dict, seed: int) -> CompressedELSA:
        key = path_of("CompressedELSA", params, seed)
        if self.path["key"] != key:
            started = perf_counter()
            models = CompressedELSA.fit_budgets(
                self.X,
                sorted(self.expected.get(key, set()) | {params["nnz"]}),
                checkpoint=self._checkpoint_of(key),
                progress=False,
                seed=seed,
                **_without_nnz(params),
            )
            seconds = round(perf_counter() - started, 2)
            self.path = {"key": key, "models": models, "seconds": seconds}
        return self.path["models"][params["nnz"]]

    def _checkpoint_of(self, key: str) -> Path | None:
        """A file for each path, so that one that was cut off does not stand in another's way."""
        if self.checkpoint is None:
            return None
        mark = hashlib.sha256(f"{self.X.shape} {key}".encode()).hexdigest()[:8]
        return self.checkpoint.with_suffix(f".{mark}.checkpoint.npz")

    def _base(self, cls, params: dict) -> Recommender:
        """A fitted `cls`; one in memory, as EASE takes 4·items² bytes."""
        key = cls.__name__ + json.dumps(params, sort_keys=True, default=str)
        if self.base["key"] != key:
            self.base = {"key": None}  # before the next one takes its own memory
            self.base = {"key": key, "model": cls(**params).fit(self.X)}
        return self.base["model"]
