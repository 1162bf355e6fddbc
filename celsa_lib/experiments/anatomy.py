"""Models of one size taken apart: where nonzeros are, who is served, which weights are found."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csc_matrix, csr_matrix, identity

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError
from celsa_lib.evaluation import evaluate
from celsa_lib.evaluation.exposure import popularity_parts, recall_by_popularity
from celsa_lib.models.base import Recommender
from celsa_lib.results import Result
from celsa_lib.split import Fold

FIFTHS, QUARTERS = 5, 4  # of the items, of the users
DUPLICATE = 0.99  # |cosine| of two latents that say the same


def models_of_size(
    result: Result, models: Sequence[Recommender], size: int
) -> dict[str, Recommender]:
    """The models of `size` bytes per item by label, of the first seed that has one.

    models: in the order of the result's rows, as `run_and_keep` gives them. Raises ConfigError
    where there are none.
    """
    found = {}
    for row, model in zip(result.rows, models, strict=True):
        if row["budget_bytes"] == size:
            found.setdefault(row["label"], model)
    if not found:
        sizes = sorted({row["budget_bytes"] for row in result.rows})
        raise ConfigError(f"no model has {size} bytes per item; there are {sizes}")
    return found


def by_popularity(
    models: Mapping[str, Recommender], folds: list[Fold], popularity: np.ndarray
) -> pd.DataFrame:
    """A line per model and fifth of the items, 1 the most popular: nonzeros per item, recall@50.

    popularity: users per item, of those that learned.
    """
    parts = popularity_parts(popularity, FIFTHS)
    items = np.bincount(parts, minlength=FIFTHS)
    frames = []
    for label, model in models.items():
        nonzeros = np.bincount(parts, np.diff(_stored(model).indptr), minlength=FIFTHS) / items
        recall = recall_by_popularity(model, folds, popularity, FIFTHS)
        columns = {"part": range(1, FIFTHS + 1), "nonzeros": nonzeros, "recall": recall}
        frames.append(pd.DataFrame({"label": label} | columns))
    return pd.concat(frames, ignore_index=True)


def by_history(models: Mapping[str, Recommender], folds: list[Fold]) -> pd.DataFrame:
    """A line per model and quarter of the users, 1 the shortest histories: length, nDCG@100."""
    given, target = folds[0]
    lengths = np.diff(given.tocsr().indptr) + np.diff(target.tocsr().indptr)
    frames = []
    for label, model in models.items():
        users = evaluate(model, folds).by_user()["ndcg@100"].to_frame()
        users["length"] = lengths[users.index]
        rank = users["length"].rank(method="first") - 1
        users["part"] = (rank * QUARTERS // len(users)).astype(int) + 1
        frames.append(users.groupby("part", as_index=False).mean().assign(label=label))
    return pd.concat(frames, ignore_index=True)[["label", "part", "length", "ndcg@100"]]


def weights_found(
    models: Mapping[str, Recommender], whole: Recommender, n_items: int, per_item: tuple[int, ...]
) -> pd.DataFrame:
    """By model, the share of the largest weights of `whole` that are among its own largest.

    A weight is what one item alone adds to the score of another. A column per number in `per_item`:
    of so many weights per item on average. Makes items × items arrays, for small catalogues.
    """
    wanted = _largest_weights(whole, n_items, max(per_item))
    shares = {}
    for label, model in models.items():
        found = _largest_weights(model, n_items, max(per_item))
        shares[label] = {
            k: len(np.intersect1d(found[: k * n_items], wanted[: k * n_items])) / (k * n_items)
            for k in per_item
        }
    return pd.DataFrame(shares).T


def latents_used(models: Mapping[str, ItemEmbeddings]) -> pd.DataFrame:
    """A line per model: latents that no item uses, one item alone, several items do, and how many
    of the last say the same as another one.
    """
    lines = []
    for label, embeddings in models.items():
        columns = csr_matrix(embeddings.matrix).tocsc()
        users = np.diff(columns.indptr)
        line = {"of no item": users == 0, "of one item": users == 1, "of several": users > 1}
        counts = {name: int(mask.sum()) for name, mask in line.items()}
        twins = _duplicates(columns[:, users > 1])
        lines.append({"method": label} | counts | {"duplicates": twins})
    return pd.DataFrame(lines)


def _duplicates(columns: csc_matrix) -> int:
    """How many of the columns (none is empty) point where another one does, or away from there."""
    unit = columns.multiply(1 / np.sqrt(columns.multiply(columns).sum(axis=0).A1)).tocsc()
    cosines = abs(unit.T @ unit).tocsr()
    cosines.setdiag(0)
    return int((cosines.max(axis=1).toarray() > DUPLICATE).sum())


def _stored(model: Recommender) -> csr_matrix:
    """What a model keeps per item, CSR: its rows, or its weights."""
    rows = model.item_embeddings.matrix if hasattr(model, "item_embeddings") else model.weights_
    return csr_matrix(rows)


def _largest_weights(model: Recommender, n_items: int, per_item: int) -> np.ndarray:
    """Places of the largest weights in the flat items × items array, the largest first."""
    weights = model.score(identity(n_items, dtype=np.float32, format="csr"))
    np.fill_diagonal(weights, -np.inf)
    return np.argsort(-weights, axis=None, kind="stable")[: per_item * n_items]
