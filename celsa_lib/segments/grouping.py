"""Groups of items that share their dominant signed latent (Section 2, Interpretable Segments).

Anchored rows have a latent of their own each, so their items share an exemplar instead.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import DataError
from celsa_lib.segments.exemplars import nearest_exemplars


@dataclass(frozen=True, eq=False)
class Groups:
    """`of_item` (n_items,): the group of each item; `latents`, `signs` (n_groups,): its latent.

    Groups are sorted by latent, the positive one first. Index and sign are kept apart: a signed
    index would lose the sign of latent 0.
    """

    of_item: np.ndarray
    latents: np.ndarray
    signs: np.ndarray

    def __len__(self) -> int:
        return len(self.latents)

    @cached_property
    def members(self) -> list[np.ndarray]:
        """Item positions of each group, ascending."""
        return members_of(self.of_item, len(self))


def dominant_latents(matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Index and sign (n_items,) of the largest |value| of each row; of equal ones, the first.

    Raises DataError for a row without a nonzero: it has no dominant latent.
    """
    matrix = csr_matrix(matrix, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    counts = np.diff(matrix.indptr)
    if not counts.all():
        raise DataError(
            f"{np.count_nonzero(counts == 0)} items have no nonzero, the first at position "
            f"{np.argmin(counts)}: they belong to no latent; leave them out or train again"
        )
    rows = np.repeat(np.arange(len(counts)), counts)
    # By row, then by falling |value|, then by latent: the first of each row is the dominant one.
    order = np.lexsort((matrix.indices, -np.abs(matrix.data), rows))
    first = order[matrix.indptr[:-1]]
    return matrix.indices[first], np.sign(matrix.data[first]).astype(np.int8)


def group_items(matrix: csr_matrix) -> Groups:
    """Groups of the rows of `matrix` (items × width). Raises DataError for an empty row."""
    latents, signs = dominant_latents(matrix)
    keys, of_item = np.unique(2 * latents.astype(np.int64) + (signs < 0), return_inverse=True)
    return Groups(of_item, keys // 2, np.where(keys % 2, -1, 1).astype(np.int8))


def group_embeddings(embeddings: ItemEmbeddings, n_groups: int | None = None) -> Groups:
    """Groups by dominant signed latent; of anchored rows by nearest exemplar, `n_groups` of them.

    An exemplar is an item and so a latent. Raises DataError for an empty row.
    """
    if not embeddings.is_anchored:
        return group_items(embeddings.matrix)
    latents, of_item = np.unique(
        nearest_exemplars(embeddings.matrix, n_groups), return_inverse=True
    )
    return Groups(of_item, latents, np.ones(len(latents), dtype=np.int8))


def members_of(of_item: np.ndarray, n_groups: int) -> list[np.ndarray]:
    """Positions (ascending) of each of `n_groups` groups; `of_item` (n_items,) names the group."""
    order = np.argsort(of_item, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of_item, minlength=n_groups))[:-1])


def indicator_of(of_item: np.ndarray, n_groups: int) -> csr_matrix:
    """Items × `n_groups`, CSR: a one where an item is in the group `of_item` (n_items,) names."""
    n_items = len(of_item)
    places = np.arange(n_items), of_item
    return csr_matrix((np.ones(n_items), places), shape=(n_items, n_groups))
