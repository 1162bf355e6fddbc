"""Index: an engine with the ids of its items, asked for a user's best."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, DataError, check_count, plainly
from celsa_lib.retrieval.engines.base import Engine
from celsa_lib.retrieval.engines.filling import EngineRows
from celsa_lib.retrieval.engines.numbers import RowNumbers
from celsa_lib.retrieval.engines.registry import AS_IS, SPLIT, EngineInfo
from celsa_lib.retrieval.export import split_signs
from celsa_lib.retrieval.ranking import top_n
from celsa_lib.split import canonical

CANDIDATES = 4  # asked for, in multiples of n, where they are ranked again
SAME_NORM = 1e-5  # that two norms or cosines may be apart
NOTHING = np.empty(0, dtype=np.int64)


class Index:
    """Item rows in an engine, to be searched by users' latents; a context manager.

    Where the engine takes no values below zero, or rounds them, candidates are ranked again by the
    rows themselves. A row without a latent in common has score 0, whether or not the engine finds
    it.
    """

    def __init__(self, info: EngineInfo, engine: Engine, source: EngineRows, temporary=None):
        """`source`: what `engine` holds. temporary: a folder that goes when the index is closed."""
        self.info, self.item_ids = info, source.item_ids
        self._engine, self._rows, self._temporary = engine, source.rows, temporary
        self._numbers = RowNumbers(self.item_ids)

    def __repr__(self) -> str:
        items, width = self._rows.shape
        return f"Index({self.info.name}, {items} items × {width})"

    def __len__(self) -> int:
        return self._rows.shape[0]

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine's files and connections. What it keeps, it keeps."""
        self._engine.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def search(
        self,
        latents: csr_matrix | np.ndarray,
        n: int = 10,
        exclude: Iterable | None = None,
        filter: Iterable | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(item ids, scores) of the `n` best items for one user, best first; fewer if none is left.

        latents: 1 × width or (width,), as `ItemEmbeddings.encode` makes them; scores are
        latents·rowsᵀ. exclude: ids left out; filter: ids allowed, all without it. Ids that are not
        there are passed over. Raises ConfigError for n < 1 or several users, DataError for other
        latents.
        """
        check_count(n=n)
        user = self._one_user(latents)
        out, only = self._numbers_of(exclude), None
        if filter is not None:
            only, out = np.setdiff1d(self._numbers_of(filter), out), NOTHING
        n = min(n, len(self) - len(out) if only is None else len(only))
        if n == 0:
            return self.item_ids[:0], np.empty(0, np.float32)
        found = self._from_engine(user, n, out, only) or self._from_rows(user, n, out, only)
        numbers, scores = found
        return self.item_ids[numbers], scores

    def similar(
        self,
        item,
        n: int = 10,
        exclude: Iterable | None = None,
        filter: Iterable | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(item ids, cosines) of the `n` other items nearest to one, whatever their rows' norms.

        exclude, filter: as in `search`. Raises DataError for an id that is not there, ConfigError
        for n < 1.
        """
        check_count(n=n)
        (number,) = self._numbers.of([item])
        if number < 0:
            raise DataError(f"there is no item {plainly(item)}; name one of `item_ids`")
        norms = self._norms
        if norms[number] == 0:
            raise DataError(f"item {plainly(item)} has an empty row, to which none is near")
        row, least = self._rows[number] / norms[number], norms[norms > 0].min()
        out = self.item_ids[np.append(self._numbers_of(exclude), number)]
        count = n if norms.max() - least < SAME_NORM else CANDIDATES * n
        while True:
            ids, products = self.search(row, count, out, filter)
            cosines = products / np.maximum(norms[self._numbers.of(ids)], least)
            order = np.argsort(-cosines, kind="stable")[:n]
            # What was not found has a product of at most the lowest that was.
            limit = max(products[-1], 0) / least if len(ids) else 0
            if len(ids) < count or cosines[order[-1]] >= limit - SAME_NORM:
                return ids[order], cosines[order]
            count *= CANDIDATES

    @cached_property
    def _norms(self) -> np.ndarray:
        """Of the rows, float32."""
        return np.sqrt(np.asarray(self._rows.multiply(self._rows).sum(axis=1)).ravel())

    def _from_engine(
        self, user: csr_matrix, n: int, out: np.ndarray, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """(numbers, scores) of the `n` best; None where the engine cannot say which they are."""
        info, n_items = self.info, len(self)
        if user.nnz == 0 or (only is not None and not info.filters):
            return None
        asked = split_signs(user) if info.handling == SPLIT else user
        spare = 0 if info.filters else len(out)
        count = n if info.handling == AS_IS else CANDIDATES * n
        while True:
            wanted = min(count + spare, n_items)
            numbers, scores = self._engine.ask(asked, wanted, out, only)
            lowest = scores[-1] if len(scores) == wanted else np.float32(0)
            if spare:
                kept = ~np.isin(numbers, out)
                numbers, scores = numbers[kept], scores[kept]
            if info.handling != AS_IS:
                numbers, scores = self._ranked_again(user, numbers)
            if len(scores) >= n:
                last = scores[n - 1]
                # The product of split rows is never below that of signed ones: what was not found
                # is no better than the lowest found.
                sure = info.handling != SPLIT or last >= lowest
                if sure and (last > 0 or not info.only_touched):
                    return numbers[:n], scores[:n]
            if wanted == n_items or info.handling == AS_IS:
                return None
            count *= CANDIDATES

    def _ranked_again(self, user: csr_matrix, numbers: np.ndarray) -> tuple:
        """`numbers` and their scores by the rows, best first."""
        numbers = np.sort(numbers)
        scores = self._rows[numbers] @ _dense(user)
        order = np.argsort(-scores, kind="stable")
        return numbers[order], scores[order]

    def _from_rows(
        self, user: csr_matrix, n: int, out: np.ndarray, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(numbers, scores) of the `n` best by the rows alone."""
        among = np.delete(np.arange(len(self)), out) if only is None else only
        scores = self._rows[among] @ _dense(user)
        (places,), (best,) = top_n(scores[None], n)
        return among[places], best

    def _numbers_of(self, ids: Iterable | None) -> np.ndarray:
        """Numbers of the rows of `ids`, ascending, each once."""
        if ids is None:
            return NOTHING
        if isinstance(ids, str):
            raise ConfigError(f'exclude and filter take several ids, not "{ids}"; pass a list')
        numbers = self._numbers.of(ids)
        return np.unique(numbers[numbers >= 0])

    def _one_user(self, latents: csr_matrix | np.ndarray) -> csr_matrix:
        """Latents as 1 × width, CSR float32 without zeros."""
        width = self._rows.shape[1]
        user = canonical(latents)
        if user.shape[1] != width:
            raise DataError(f"latents have width {user.shape[1]}, the rows {width}; use encode(X)")
        if user.shape[0] != 1:
            raise ConfigError(
                f"latents are those of {user.shape[0]} users; search for one at a time"
            )
        if not np.isfinite(user.data).all():
            raise DataError("latents hold values that are not finite; use encode(X)")
        return user


def _dense(user: csr_matrix) -> np.ndarray:
    """Latents 1 × width, written out: (width,) float32."""
    return user.toarray().ravel()
