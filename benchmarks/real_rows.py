"""Rows and histories in any number with the statistics of real ones, those of real_rows.npz.

Usage: python benchmarks/real_rows.py   (trains on Goodbooks-10k partial, and writes the file anew)
The file has rows of the paper's procedure (width 4,096, 16 nonzeros; values in 16 bits) for the
3,000 most read books, trained on 4,000 users, and 1,500 histories of 5 books or more. The first
rows made are these; each later one is made of one of them: a VARIED share of its latents is drawn
anew, from a row that holds the latent, any of that row's. So lengths, values by rank, the use of
each latent, which of them come together, and signs stay as they were. A history is a real one whose
items stand for one of their own variants, the first ones often.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, vstack

import celsa_lib as cl
from celsa_lib.arrays import save_arrays, stored_arrays

FILE = Path(__file__).with_name("real_rows.npz")
FORMAT, VERSION = "celsa-real-rows", 1
WIDTH, NNZ, ITEMS, TRAINED_ON = 4_096, 16, 3_000, 4_000
USERS, LEAST = 1_500, 5  # histories, and how long each is at least
VARIED = 0.9  # of a row's latents, but for those that it has already
SPREAD = 0.1  # of the logarithm of a value
CHUNK = 100_000  # rows made at a time


@dataclass(frozen=True)
class RealRows:
    """Rows (items × width, CSR float32) and histories (users × items, binary); how they came."""

    matrix: csr_matrix
    histories: csr_matrix
    about: dict

    @classmethod
    def load(cls, path: Path = FILE) -> "RealRows":
        """What `save` wrote. Raises StorageError."""
        with stored_arrays(path, FORMAT, VERSION, "rows to resample") as (header, stored):
            n_items = len(stored["starts"]) - 1
            rows = stored["values"].astype(np.float32), stored["columns"], stored["starts"]
            ones = np.ones(len(stored["seen"]), np.float32)
            histories = ones, stored["seen"], stored["of_user"]
            return cls(
                csr_matrix(rows, shape=(n_items, header["width"])),
                csr_matrix(histories, shape=(len(stored["of_user"]) - 1, n_items)),
                header["about"],
            )

    def save(self, path: Path = FILE) -> Path:
        """One small file, without pickle."""
        arrays = {
            "values": self.matrix.data.astype(np.float16),
            "columns": self.matrix.indices.astype(np.uint16),
            "starts": self.matrix.indptr.astype(np.int32),
            "seen": self.histories.indices.astype(np.uint16),
            "of_user": self.histories.indptr.astype(np.int32),
        }
        header = {"format": FORMAT, "version": VERSION, "width": self.matrix.shape[1]}
        return save_arrays(path, header | {"about": self.about}, arrays)

    def rows(self, n_items: int, seed: int = 1) -> csr_matrix:
        """`n_items` unit rows; the first are the real ones."""
        rng, n_real = np.random.default_rng(seed), self.matrix.shape[0]
        columns, parts = self.matrix.tocsc(), [self.matrix[: min(n_items, n_real)]]
        for first in range(n_real, n_items, CHUNK):
            bases = np.arange(first, min(first + CHUNK, n_items)) % n_real
            parts.append(self._varied(self.matrix[bases], columns, rng))
        rows = vstack(parts, format="csr", dtype=np.float32)
        norms = np.sqrt(np.add.reduceat(rows.data**2, rows.indptr[:-1]))
        rows.data /= np.repeat(norms, np.diff(rows.indptr))
        return rows

    def _varied(self, rows: csr_matrix, columns, rng: np.random.Generator) -> csr_matrix:
        """`rows` with some of their latents and signs drawn anew; no latent twice in a row."""
        (n_rows, width), real = rows.shape, self.matrix
        of_row = np.repeat(np.arange(n_rows), np.diff(rows.indptr))
        keys = of_row * width + rows.indices
        (at,) = np.nonzero(rng.random(len(keys)) < VARIED)
        holders = np.diff(columns.indptr)[rows.indices[at]]
        place = columns.indptr[rows.indices[at]] + (rng.random(len(at)) * holders).astype(int)
        other, sign = columns.indices[place], np.sign(columns.data[place]) * rows.data[at]
        drawn = real.indptr[other] + (rng.random(len(at)) * np.diff(real.indptr)[other]).astype(int)
        new = of_row[at] * width + real.indices[drawn]
        free = ~np.isin(new, keys)
        new, first = np.unique(new[free], return_index=True)
        at, values = at[free][first], (sign * np.sign(real.data[drawn]))[free][first]
        keys[at], data = new, rows.data.copy()
        data[at] = values
        data *= np.exp(SPREAD * rng.standard_normal(len(data), dtype=np.float32))
        order = np.argsort(keys, kind="stable")
        parts = data[order], (keys % width)[order].astype(np.int32), rows.indptr
        return csr_matrix(parts, shape=rows.shape)

    def users(self, n_users: int, n_items: int, seed: int = 2) -> csr_matrix:
        """Histories of `n_users` (users × n_items, binary), none of them empty."""
        rng, n_real = np.random.default_rng(seed), self.matrix.shape[0]
        fitting = self.histories[:, : min(n_items, n_real)]
        (some,) = np.nonzero(np.diff(fitting.indptr))
        chosen = fitting[rng.choice(some, n_users, replace=n_users > len(some))]
        variants = max(1, n_items // n_real)
        share = 1 / np.arange(1, variants + 1)
        variant = rng.choice(variants, chosen.nnz, p=share / share.sum())
        parts = chosen.data, chosen.indices + n_real * variant, chosen.indptr
        return csr_matrix(parts, shape=(n_users, n_items)).sorted_indices()


def statistics(rows: csr_matrix, histories: csr_matrix, asked: int = 100) -> dict:
    """What made rows must have in common with real ones."""
    use = np.sort(np.bincount(rows.indices, minlength=rows.shape[1]))[::-1]
    lengths, seen = np.diff(rows.indptr), np.diff(histories.indptr)
    whole = lengths == lengths.max()
    sizes = np.abs(rows.data[np.repeat(whole, lengths)]).reshape(whole.sum(), -1)
    sizes = np.sort(sizes, axis=1)[:, ::-1].mean(axis=0)
    near = (rows[:asked] @ rows.T).toarray()
    near[np.arange(len(near)), np.arange(len(near))] = -1
    popular = np.sort(np.asarray(histories.sum(axis=0)).ravel())[::-1]
    found = {
        "nonzeros": lengths.mean(),
        "of the most used hundredth of latents": use[: len(use) // 100].sum() / use.sum(),
        "above zero": (rows.data > 0).mean(),
        "largest value": sizes[0],
        "smallest value": sizes[-1],
        "cosine to the nearest": np.median(near.max(axis=1)),
        "history": np.median(seen),
        "longest history": seen.max(),
        "of the hundred most read": popular[:100].sum() / popular.sum(),
    }
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def main() -> None:
    """Train, write the file, print what it has."""
    data = cl.load_dataset("goodbooks-10k-partial", progress=False)
    setting = {"nnz": NNZ, "width": WIDTH, "epochs": 2, "learning_rate": 0.03, "seed": 0}
    chosen = np.random.default_rng(0).choice(data.X.shape[0], TRAINED_ON, replace=False)
    read = np.asarray(data.X.sum(axis=0)).ravel()
    X = csr_matrix(data.X[chosen][:, np.sort(np.argsort(-read, kind="stable")[:ITEMS])])
    model = cl.CompressedELSA(**setting).fit(X)
    about = {"data": data.name, "checksum": data.checksum, "setting": setting}
    about |= {"trained on": TRAINED_ON, "most read items": ITEMS}
    real = RealRows(model.item_embeddings.matrix, X[np.diff(X.indptr) >= LEAST][:USERS], about)
    print(real.save(), statistics(real.matrix, real.histories))


if __name__ == "__main__":
    main()
