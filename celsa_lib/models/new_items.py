"""Items that came after training, and those that are gone: rows for the catalogue as it is now."""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_matrix, diags_array, vstack

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError, DataError, check_count, check_positive
from celsa_lib.kernels.cooccurrence import ranks_in_rows
from celsa_lib.kernels.rows import TINY
from celsa_lib.models.base import histories, ids_of_columns
from celsa_lib.models.recipes import of_data
from celsa_lib.training.anchored import neighbourhoods_of
from celsa_lib.training.device import resolve_device
from celsa_lib.training.options import NEIGHBOURS, STRENGTH

LIKE = 2_000  # known items, at most, that say what training makes of a start


def with_new_items(
    embeddings: ItemEmbeddings,
    X: csr_matrix,
    item_ids: Iterable | None = None,
    nnz: int | None = None,
    reg: float | None = None,
    n_neighbours: int = NEIGHBOURS,
    device: str = "auto",
) -> ItemEmbeddings:
    """Anchored rows for the items of X (users × items, with `item_ids`), without training.

    A known item keeps its row, less the latents of items that are gone. A new one gets a latent of
    its own and those of the `nnz` − 1 items of largest partial correlation with it, in closed form
    from the histories of those who have seen it and its neighbours, as rows have before training.
    What training makes of such rows depends on popularity: how much larger its values and scales
    are is a line through those of known items, by the logarithm of how many have seen them. nnz:
    of a new row, None: as many as the others have; reg: None: as recommended for X. Raises
    ConfigError for rows that are not anchored, DataError where nothing is known.
    """
    X = histories(X)
    ids = ids_of_columns(X, item_ids)
    source = require_known(embeddings, ids)
    nnz = round(embeddings.matrix.nnz / len(embeddings.item_ids)) if nnz is None else nnz
    check_count(nnz=nnz, n_neighbours=n_neighbours)
    reg = of_data(X, int(np.count_nonzero(np.diff(X.indptr))), nnz)["reg"] if reg is None else reg
    check_positive(reg=reg)
    known, new = np.flatnonzero(source >= 0), np.flatnonzero(source < 0)
    rows = _moved(embeddings.matrix, source, known)
    like = np.unique(np.linspace(0, len(known) - 1, LIKE).astype(int))  # known ones, as if new
    asked = np.concatenate([new, known[like]])
    near = neighbourhoods_of(asked, X, reg, resolve_device(device), n_neighbours).partial
    near = _strongest(near, nnz - 1)
    popularity = np.log(np.bincount(X.indices, minlength=len(ids)) + reg)
    of_line = popularity[known[like]], popularity[new]
    scaled = embeddings.input_scales is not None
    input_scales = np.ones(len(ids), np.float32)
    if scaled:
        input_scales[known] = embeddings.input_scales[source[known]]
        input_scales[new] = np.exp(_by_line(*of_line, np.log(input_scales[known[like]])))
    unit = ItemEmbeddings(rows).unit.matrix
    encoder = _at(known, input_scales[known], len(ids)).T @ unit
    growth = _growth(near[len(new) :], encoder, rows[like])
    added = diags_array(np.exp(_by_line(*of_line, growth))) @ near[: len(new)]
    own = np.abs(np.asarray(rows[like, known[like]]).ravel())
    added = added + _at(new, np.exp(_by_line(*of_line, _logs(own))), len(ids))
    if not scaled:
        added = ItemEmbeddings(csr_matrix(added)).unit.matrix
    order = np.argsort(np.concatenate([known, new]))
    found = vstack([rows, added]).tocsr()[order]
    return ItemEmbeddings(found, ids, embeddings.about, input_scales if scaled else None)


def require_known(embeddings: ItemEmbeddings, ids: np.ndarray) -> np.ndarray:
    """The row of each of `ids`, −1 for one that is new.

    Raises ConfigError for rows that are not anchored, DataError where no item is known.
    """
    if not embeddings.is_anchored:
        raise ConfigError(
            "these rows have no latent of each item's own, so a new item has no place among them; "
            'train them with recipe="recommended"'
        )
    row_of = {item: row for row, item in enumerate(embeddings.item_ids.tolist())}
    source = np.array([row_of.get(item, -1) for item in ids.tolist()])
    if (source < 0).all():
        raise DataError("none of the items has a row; pass the ids that the rows were trained with")
    return source


def _moved(matrix: csr_matrix, source: np.ndarray, known: np.ndarray) -> csr_matrix:
    """The rows source[known] of anchored rows, known × items now, without latents that are gone."""
    column = np.full(matrix.shape[1], -1)
    column[source[known]] = known
    rows = matrix[source[known]].tocoo()
    left = column[rows.col] >= 0
    places = rows.row[left], column[rows.col[left]]
    return csr_matrix((rows.data[left], places), shape=(len(known), len(source)))


def _strongest(near: csr_matrix, n: int) -> csr_matrix:
    """The `n` largest of each row, in the size that they have at a start."""
    kept = ranks_in_rows(near.indptr, near.data) < n
    starts = np.concatenate([[0], np.cumsum(kept)])[near.indptr]
    return csr_matrix((STRENGTH * near.data[kept], near.indices[kept], starts), near.shape)


def _at(items: np.ndarray, values: np.ndarray, width: int) -> csr_matrix:
    """Rows of one nonzero, of item n at column items[n]."""
    return csr_matrix((values, items, np.arange(len(items) + 1)), (len(items), width))


def _growth(near: csr_matrix, encoder: csr_matrix, rows: csr_matrix) -> np.ndarray:
    """log of how much more `rows` score than rows of a start, `near`, from the same neighbours.

    The latter have no part in the rows of the others, as those of new items; asked are users who
    have seen what is near, in proportion to how near it is.
    """
    users = near @ encoder
    trained, start = (np.asarray(users.multiply(one).sum(axis=1)).ravel() for one in (rows, near))
    return _logs(trained, start)


def _logs(values: np.ndarray, by: np.ndarray | float = 1.0) -> np.ndarray:
    """log(values/by), NaN where either is nothing."""
    there = (values > TINY) & (np.asarray(by) > TINY)
    return np.log(np.where(there, values, np.nan) / np.where(there, by, 1.0))


def _by_line(x: np.ndarray, at: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the line of least squares through (x, y), where y is a number, says at `at`."""
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    if not len(x):
        return np.zeros(len(at))
    variance = np.mean((x - x.mean()) ** 2)
    slope = np.mean((x - x.mean()) * y) / variance if variance > 0 else 0.0
    return y.mean() + slope * (at - x.mean())
