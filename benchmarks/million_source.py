"""Rows and users in a folder, where processes of their own read them, and what engines keep."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.retrieval import engines

CHUNK = 50_000  # rows made dense at a time


@dataclass(frozen=True)
class Source:
    """The first `n_items` rows and the users in a folder; `address`: of PostgreSQL."""

    folder: Path
    n_items: int
    address: str | None = None

    @classmethod
    def write(cls, folder: Path, rows: csr_matrix, users: csr_matrix) -> None:
        """Fill the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, matrix in (("rows", rows), ("users", users)):
            for part in ("data", "indices", "indptr"):
                np.save(folder / f"{name}-{part}.npy", getattr(matrix, part))
        np.save(folder / "width.npy", rows.shape[1])

    @property
    def rows(self) -> csr_matrix:
        """items × width, read anew."""
        starts = self._part("rows", "indptr")[: self.n_items + 1]
        stored = (self._part("rows", part)[: starts[-1]] for part in ("data", "indices"))
        width = int(np.load(self.folder / "width.npy"))
        return csr_matrix((*map(np.array, stored), np.array(starts)), (self.n_items, width))

    @property
    def users(self) -> csr_matrix:
        """users × items, without items that are not there."""
        parts = tuple(self._part("users", part) for part in ("data", "indices", "indptr"))
        n_all = len(self._part("rows", "indptr")) - 1
        return csr_matrix(parts, (len(parts[2]) - 1, n_all))[:, : self.n_items]

    def _part(self, name: str, part: str) -> np.ndarray:
        return np.load(self.folder / f"{name}-{part}.npy", mmap_mode="r")

    def dense(self, dims: int):
        """The rows projected at random to `dims`, CHUNK at a time."""
        rows = self.rows
        shape = rows.shape[1], dims
        axes = np.random.default_rng(dims).standard_normal(shape, dtype=np.float32)
        for first in range(0, self.n_items, CHUNK):
            yield (rows[first : first + CHUNK] @ axes) / np.float32(np.sqrt(dims))


def place_of(source: Source, name: str) -> dict:
    """Where an engine keeps these rows, as `engines.open` and `load_rows` take it."""
    if engines.ENGINES[name].place == engines.FOLDER:
        return {"path": source.folder / f"{name}-{source.n_items}"}
    return {"address": source.address, "table": f"items_{source.n_items}"}


def touched_mib(rows: csr_matrix, users: csr_matrix) -> float:
    """Mean MiB of postings (3 bytes each) that exact search adds up for a user."""
    lengths, held = np.bincount(rows.indices, minlength=rows.shape[1]), []
    for user in users:
        held.append(3 * lengths[(user @ rows).indices].sum())
    return round(float(np.mean(held)) / 2**20, 3)


def mib(path: str | Path) -> float:
    """Size of a file, or of all files in a folder."""
    path = Path(path)
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return round(sum(one.stat().st_size for one in files) / 2**20, 1)
