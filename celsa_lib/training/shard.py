"""Which items' rows this process has, and rows that go to their processes and come from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError
from celsa_lib.training.group import Group
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows
from celsa_lib.training.state import arrays_of_rows, rows_of_arrays

# What an interaction costs beside scoring a user on an item, as measured for 10,000 items: the
# balance follows from it alone.
PER_INTERACTION = 40.0
POINTERS = ("starts", "indptr")  # of rows that are stored one after the other
# Which of them says where the rows of an array begin, where it has one.
POINTERS_OF = dict.fromkeys(("values", "cols", "mean", "m", "v"), "starts")
POINTERS_OF |= dict.fromkeys(("data", "indices"), "indptr")


@dataclass(frozen=True)
class Shard:
    """The items first … last − 1 of those from bounds[0] to bounds[-1]; group: who has the others.

    Process 0 leads: it alone reads and writes files.
    """

    bounds: tuple[int, ...]
    group: Group = field(default_factory=Group)

    @classmethod
    def of(cls, X: csr_matrix, options: TrainingOptions) -> "Shard":
        """This process's items of X (users × items): all, unless backend "sharded" divides them.

        Raises ConfigError for more processes than items.
        """
        if options.backend != "sharded":
            return cls((0, X.shape[1]))
        group = Group.here()
        return cls(balanced_bounds(X, group.size), group)

    @property
    def first(self) -> int:
        """The first own item."""
        return self.bounds[self.group.rank]

    @property
    def last(self) -> int:
        """The item after the last own one."""
        return self.bounds[self.group.rank + 1]

    @property
    def n_items(self) -> int:
        """Own items."""
        return self.last - self.first

    @property
    def leads(self) -> bool:
        """Whether this is process 0."""
        return self.group.rank == 0

    def anywhere(self, mask: np.ndarray) -> np.ndarray:
        """Where `mask` is true in any process."""
        return self.group.total(mask.astype(np.int32)) > 0

    def own_rows(self, rows: Rows | None) -> Rows:
        """The own part of `rows`, which process 0 has and the others lack."""
        if self.group.size == 1:
            return rows
        about = self.group.told(rows and {"width": rows.width, "mean_nnz": rows.nnz})
        return rows_of_arrays("rows", self.own_part(rows and arrays_of_rows("rows", rows)), **about)

    def whole(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """Arrays of a state (see `Run.state`) of all items, in process 0; None in the others."""
        if self.group.size == 1:
            return dict(arrays)
        found = {name: self._joined(name, array) for name, array in sorted(arrays.items())}
        return found if self.leads else None

    def own_part(self, arrays: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
        """The own part of what `whole` has given, which process 0 has and the others lack."""
        if self.group.size == 1:
            return dict(arrays)
        forms = arrays and {n: (a.dtype.str, _by_item(n, a).shape[1:]) for n, a in arrays.items()}
        found = {}
        for name, (kind, shape) in sorted(self.group.told(forms).items()):
            flat = self.group.dealt(arrays and self._parts(name, arrays), np.dtype(kind))
            found[name] = _as_stored(name, flat.reshape(-1, *shape), np.dtype(kind))
        return found

    def dealt_state(self, found: tuple[dict, dict] | None) -> tuple[dict, dict] | None:
        """(plain values, own part of the arrays) of the state that process 0 has found, if any."""
        if self.group.size == 1:
            return found
        plain = self.group.told(found and found[0])
        return None if plain is None else (plain, self.own_part(found and found[1]))

    def _joined(self, name: str, array: np.ndarray) -> np.ndarray | None:
        by_item = _by_item(name, array)
        parts = self.group.gathered(np.ascontiguousarray(by_item).reshape(-1))
        if parts is None:
            return None
        return _as_stored(name, np.concatenate(parts).reshape(-1, *by_item.shape[1:]), array.dtype)

    def _parts(self, name: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """What each process gets of an array, on one axis."""
        owner, _, kind = name.rpartition(" ")
        pointers = arrays.get(f"{owner or 'now'} {POINTERS_OF.get(kind)}")
        cuts = self.bounds if pointers is None else pointers[list(self.bounds)]
        by_item = _by_item(name, arrays[name])
        return [np.ascontiguousarray(by_item[a:b]).reshape(-1) for a, b in pairwise(cuts)]


def _by_item(name: str, array: np.ndarray) -> np.ndarray:
    """An array of a state with what belongs to an item, or to a nonzero, on the first axis."""
    if name.endswith(POINTERS):
        return np.diff(array)
    return array.T if name.endswith("scales") else array


def _as_stored(name: str, by_item: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array that `_by_item` has turned, turned back."""
    if name.endswith(POINTERS):
        return np.concatenate([[0], np.cumsum(by_item)]).astype(dtype)
    return np.ascontiguousarray(by_item.T) if name.endswith("scales") else by_item


def balanced_bounds(X: csr_matrix, n_processes: int) -> tuple[int, ...]:
    """Where the items of each process begin, and the last ones end: about as much work for each.

    Raises ConfigError for more processes than items of X (users × items).
    """
    n_items = X.shape[1]
    if n_processes > n_items:
        raise ConfigError(f"{n_processes} processes have nothing to share in {n_items} items")
    work = np.count_nonzero(np.diff(X.indptr)) + PER_INTERACTION * np.bincount(
        X.indices, minlength=n_items
    )
    done = np.cumsum(work)
    cuts = np.searchsorted(done, done[-1] * np.arange(1, n_processes) / n_processes) + 1
    ordinal = np.arange(1, n_processes)  # each has at least one item
    cuts = np.maximum.accumulate(np.maximum(cuts, ordinal) - ordinal) + ordinal
    return 0, *np.minimum(cuts, n_items - n_processes + ordinal).tolist(), n_items
