"""Items held back from training: rows without training, a few epochs from them, a retraining."""

import time

import numpy as np
from scale_source import Source
from scipy.sparse import csr_matrix

import celsa_lib as cl

NEW_SHARE, LEAST_SEEN = 0.05, 5  # of the items that are new, each seen by so many at least
FURTHER_EPOCHS = 2


class Among:
    """A model that recommends some items alone; evaluated as another one."""

    def __init__(self, model, items: np.ndarray):
        self.model, self.items = model, items

    def recommend(self, X: csr_matrix, n: int, exclude_seen: bool = True):
        """See Recommender."""
        return self.model.recommend(X, n, exclude_seen, among=self.items)


def new_items(contender: str, source: Source) -> dict:
    """nDCG@100 on targets that are new, among all items and among the new ones alone."""
    train, _, folds, _ = source.made()
    seen = np.bincount(train.indices, minlength=source.n_items)
    rng = np.random.default_rng(source.seed)
    possible = np.flatnonzero(seen >= LEAST_SEEN)
    new = np.sort(rng.choice(possible, round(NEW_SHARE * source.n_items), replace=False))
    old = np.setdiff1d(np.arange(source.n_items), new)
    (given, target), all_ids = folds[0], np.arange(source.n_items)
    cold = given, only(target, new)
    shared = {"nnz": 16, "recipe": "recommended", "progress": False}
    models, seconds = {}, {}

    def timed(name, action):
        begun = time.perf_counter()
        models[name] = action()
        seconds[name] = round(time.perf_counter() - begun, 2)

    before = cl.CompressedELSA(**shared).fit(train[:, old], old).item_embeddings
    timed("retrained", lambda: cl.CompressedELSA(**shared).fit(train, all_ids))
    timed("without training", lambda: cl.with_new_items(before, train, all_ids))
    further = cl.CompressedELSA(epochs=FURTHER_EPOCHS, **shared)
    timed("few epochs", lambda: further.fit(train, all_ids, start=before))
    timed("popularity", lambda: cl.Popularity().fit(train))
    lines = []
    for name, model in models.items():
        kinds = {"cold": (model, cold), "cold alone": (Among(model, new), cold)}
        kinds["all"] = model, (given, target)
        found = {what: cl.evaluate(one, [fold]) for what, (one, fold) in kinds.items()}
        values = {what: round(e.mean["ndcg@100"], 5) for what, e in found.items()}
        errors = {what: round(e.stderr["ndcg@100"], 5) for what, e in found.items()}
        lines.append({"what": name, "seconds": seconds[name], "mean": values, "stderr": errors})
    return {"new": len(new), "lines": lines}


def only(target: csr_matrix, items: np.ndarray) -> csr_matrix:
    """The targets that are among `items`."""
    mask = np.isin(target.indices, items)
    starts = np.concatenate([[0], np.cumsum(mask)])[target.indptr]
    return csr_matrix((target.data[mask], target.indices[mask], starts), target.shape)
