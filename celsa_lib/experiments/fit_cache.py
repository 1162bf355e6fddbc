"""Models fitted on the same users; what several of them need is made once."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.models import (
    EASE,
    CompressedELSA,
    PrunedEASE,
    Recommender,
    SparseAutoencoderELSA,
    by_name,
)
from celsa_lib.training import Checkpoint


def path_of(name: str, params: dict, seed: int) -> str:
    """What Compressed ELSA's budgets of one path have in common."""
    return json.dumps([name, _without_nnz(params), seed], sort_keys=True)


def order_of(name: str, params: dict, seed: int) -> str:
    """A key to sort models by: those of one path, or of one inversion, follow one another."""
    method = by_name(name, params=params)
    if method.location and issubclass(method.load(), PrunedEASE):
        whole = method.make(**params).whole
        return path_of(type(whole).__name__, whole.get_params(), seed)
    return path_of(name, params, seed)


def _without_nnz(params: dict) -> dict:
    return {key: value for key, value in params.items() if key != "nnz"}


class FitCache:
    """Fitted models of the users X, for one (method, params, seed) at a time.

    An inversion (EASE) or a dense ELSA that others are made of is kept. Budgets of Compressed ELSA
    that differ in nnz alone come from one path. Ask in the order of `order_of`.
    """

    def __init__(
        self, X: csr_matrix, item_ids: np.ndarray | None = None, checkpoint: Path | None = None
    ):
        """`checkpoint`: a file beside which paths keep where they are, to go on there."""
        self.X, self.item_ids, self.checkpoint = X, item_ids, checkpoint
        self.base: tuple[str, Recommender] | None = None
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
        method = by_name(name)
        if method.trained:
            params = params | {"seed": seed, "progress": False}
        model = method.make(**params)
        if isinstance(model, PrunedEASE):
            kept = model.nnz, model.support, model.refit
            return type(model).from_ease(self._base(model.whole), *kept, X=self.X)
        if name == "SparseAutoencoderELSA":
            elsa = model.elsa()
            own = model.get_params().keys() - elsa.get_params().keys()
            more = {parameter: getattr(model, parameter) for parameter in own}
            return SparseAutoencoderELSA.from_elsa(self._base(elsa), **more)
        return self._base(model) if isinstance(model, EASE) else model.fit(self.X, self.item_ids)

    def about(self, name: str, params: dict) -> dict:
        """For a row of Compressed ELSA: its path's budgets and seconds, [nnz, active latents, loss]
        after each epoch.
        """
        if name != "CompressedELSA":
            return {}
        history = self.path["models"][params["nnz"]].history_
        return {
            "path": {"budgets": sorted(self.path["models"]), "seconds": self.path["seconds"]},
            "history": [[e["nnz"], e["active"], float(f"{e['loss']:.4g}")] for e in history],
        }

    def _on_path(self, params: dict, seed: int) -> CompressedELSA:
        key = path_of("CompressedELSA", params, seed)
        if self.path["key"] != key:
            started = perf_counter()
            budgets = sorted(self.expected.get(key, set()) | {params["nnz"]})
            options = {"seed": seed, "progress": False, "callbacks": self._checkpoint_of(key)}
            model = by_name("CompressedELSA").make(**params, **options)
            models = model.fit_budgets(self.X, budgets, self.item_ids)
            seconds = round(perf_counter() - started, 2)
            self.path = {"key": key, "models": models, "seconds": seconds}
        return self.path["models"][params["nnz"]]

    def _checkpoint_of(self, key: str) -> list[Checkpoint]:
        """A file for each path, so that one that was cut off does not stand in another's way."""
        if self.checkpoint is None:
            return []
        mark = hashlib.sha256(f"{self.X.shape} {key}".encode()).hexdigest()[:8]
        return [Checkpoint(self.checkpoint.with_suffix(f".{mark}.checkpoint.npz"))]

    def _base(self, model: Recommender) -> Recommender:
        """`model`, or an equal one that is fitted already; one in memory: EASE takes 4·items² B."""
        key = repr((type(model).__name__, model.get_params()))
        if self.base is None or self.base[0] != key:
            self.base = None  # before the next one takes its own memory
            self.base = key, model.fit(self.X, self.item_ids)
        return self.base[1]
