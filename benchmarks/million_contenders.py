"""Who answers among a million items: this library, engines that it opens, and faiss on dense rows.

A contender is made from a Source, then asked for the TOP best of a user, by number, that are not in
the user's history. `efforts`: how hard it may search, from little to much, where that is a choice.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property, partial

import numpy as np
from million_source import Source, mib, place_of
from numba import get_num_threads

import celsa_lib as cl
from celsa_lib.retrieval import engines

TOP = 100
EQUAL_BYTES, MOST_DIMS = 32, 256  # dense dimensions: 16 nonzeros of 8 bytes; the widest of Table 1
CODES = 128  # bytes of a product-quantised row
DEGREE = 16  # of a row in the graph
TRAINED_ON, ROUNDS = 10_000, 4  # rows, and times that centres are moved


class Contender:
    """Asks one user at a time; many users in as many threads as there are cores."""

    efforts: tuple = ()
    first_many = 2  # users asked at once before time is taken

    def __init__(self, source: Source):
        self.source, self.X = source, source.users
        self.users = [self.X[number] for number in range(self.X.shape[0])]

    def search_harder(self, effort) -> None:
        """Search with one of the `efforts` from now on."""

    def ask(self, number: int) -> np.ndarray:
        """The best items for a user by number."""
        raise NotImplementedError

    def ask_many(self, numbers: list[int]) -> None:
        """The same for several users, without keeping it."""
        with ThreadPoolExecutor(get_num_threads()) as pool:
            list(pool.map(self.ask, numbers))

    def true_scores(self, n_users: int) -> np.ndarray:
        """Exact scores of the first users (n_users × items) by the rows that were given."""
        rows, X = self.source.rows, self.X[:n_users]
        return (rows @ (X @ rows).T).toarray().T

    def kept_mib(self) -> dict:
        """What it keeps besides the memory of this process."""
        return {}


class Ours(Contender):
    """ItemEmbeddings as they are, exact or with less effort."""

    first_many = 64  # so that the way for many is compiled

    def __init__(self, source: Source, efforts: tuple = ()):
        super().__init__(source)
        self.rows, self.efforts, self.options = self._made(), efforts, {}
        self.ask(0)  # makes the index

    def search_harder(self, effort):
        self.options = {"effort": effort}

    def _made(self):
        return cl.ItemEmbeddings(self.source.rows)

    def ask(self, number):
        return self.rows.recommend(self.users[number], TOP, **self.options)[0][0]

    def ask_many(self, numbers):
        self.rows.recommend(self.X[numbers], TOP, **self.options)


class Packed(Ours):
    """Values of a few bits in a file that is mapped, and lists beside it."""

    def __init__(self, source: Source, bits: int, efforts: tuple = ()):
        self.bits = bits
        super().__init__(source, efforts)

    def _made(self):
        path = self.source.folder / f"packed-{self.source.n_items}-{self.bits}.celsa"
        return super()._made().pack(self.bits, path)

    def kept_mib(self):
        return {"disk_mib": mib(self.rows.path)}


class Opened(Contender):
    """An engine through the adapter, with the rows that are kept beside it."""

    def __init__(self, source: Source, name: str):
        super().__init__(source)
        self.emb, self.name = cl.ItemEmbeddings(source.rows), name
        self.place = place_of(source, name) if engines.ENGINES[name].keeps_rows else {}
        self.index = self._open()

    def _open(self):
        return engines.open(self.name, self.emb, **self.place)

    def ask(self, number):
        return self._ask(self.index, number)

    def _ask(self, index, number: int) -> np.ndarray:
        user = self.users[number]
        return index.search(self.emb.encode(user), TOP, exclude=user.indices)[0]

    def ask_many(self, numbers):
        if "address" not in self.place:
            super().ask_many(numbers)
            return
        with ExitStack() as stack:  # a connection is asked by one thread at a time
            others = [stack.enter_context(self._open()) for _ in range(get_num_threads() - 1)]
            indexes = [self.index, *others]
            shares = [numbers[first :: len(indexes)] for first in range(len(indexes))]
            pool = stack.enter_context(ThreadPoolExecutor(len(indexes)))
            list(pool.map(lambda index, part: [self._ask(index, n) for n in part], indexes, shares))

    def held(self) -> int:
        """How many rows the engine itself counts."""
        engine = self.index._engine
        if self.name == "pgvector":
            return engine._run("SELECT count(*) FROM {live}").fetchone()[0]
        return engine.count()

    def kept_mib(self):
        if self.name == "pgvector":
            ask = f"SELECT pg_total_relation_size('{self.place['table']}')"
            return {"disk_mib": round(self.index._engine._run(ask).fetchone()[0] / 2**20, 1)}
        return {"disk_mib": mib(self.place["path"])} if "path" in self.place else {}


class Dense(Contender):
    """An index of faiss over dense rows, asked with the sum of the history's rows."""

    def __init__(self, source: Source, dims: int, make, efforts: tuple = (), option: str = ""):
        import faiss

        super().__init__(source)
        self.dims, self.efforts, self._option = dims, efforts, option
        self.index = make(faiss, dims, source.n_items)
        for rows in source.dense(dims):
            if not self.index.is_trained:
                self.index.train(rows[:TRAINED_ON])
            self.index.add(rows)

    def search_harder(self, effort) -> None:
        import faiss

        faiss.ParameterSpace().set_index_parameter(self.index, self._option, effort)

    @cached_property
    def latents(self) -> np.ndarray:
        """Of all users (users × dims), made once and not timed."""
        found, first = np.zeros((self.X.shape[0], self.dims), np.float32), 0
        for rows in self.source.dense(self.dims):
            found += self.X[:, first : first + len(rows)] @ rows
            first += len(rows)
        return found

    def ask(self, number):
        seen = self.users[number].indices
        _, (found,) = self.index.search(self.latents[number][None], TOP + len(seen))
        return found[~np.isin(found, seen)][:TOP]

    def ask_many(self, numbers):
        longest = max(self.users[number].nnz for number in numbers)
        self.index.search(self.latents[numbers], TOP + longest)

    def true_scores(self, n_users):
        latents = self.latents[:n_users]
        return np.hstack([latents @ rows.T for rows in self.source.dense(self.dims)])


def flat(faiss, dims, n_items):
    """Every row is looked at."""
    return faiss.IndexFlatIP(dims)


def graph(faiss, dims, n_items):
    """A graph by inner product."""
    return faiss.IndexHNSWFlat(dims, DEGREE, faiss.METRIC_INNER_PRODUCT)


def codes(faiss, dims, n_items):
    """A byte for each two dimensions; every code is looked at."""
    index = faiss.IndexPQ(dims, CODES, 8, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter = ROUNDS
    return index


def lists_of_codes(faiss, dims, n_items):
    """The same in as many lists as the root of the items; those nearest are looked at."""
    coarse, lists = faiss.IndexFlatIP(dims), max(1, int(n_items**0.5))
    index = faiss.IndexIVFPQ(coarse, dims, lists, CODES, 8, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.pq.cp.niter, index.own_fields = ROUNDS, ROUNDS, True
    coarse.this.disown()
    return index


EF, PROBES = (200, 400, 800, 1_600, 3_200), (8, 32, 128)
SHARES = (0.5, 0.7, 0.8, 0.9, 0.95)  # of a question's sum of squares that is looked up
CODED = ("faiss PQ, 128 B", "faiss IVF-PQ, 128 B")
KEPT = ("qdrant-edge", "pgvector")  # engines that are filled, killed half-way, and gone on
CONTENDERS = {
    "celsa, exact": Ours,
    "celsa, less effort": partial(Ours, efforts=SHARES),
    "celsa, 4 bits, lists": partial(Packed, bits=4),
    "celsa, 8 bits, lists": partial(Packed, bits=8),
    "celsa, 8 bits, less effort": partial(Packed, bits=8, efforts=SHARES),
    **{
        f"faiss {what}, {dims} dims": partial(Dense, dims=dims, make=make, **more)
        for dims in (EQUAL_BYTES, MOST_DIMS)
        for what, make, more in (
            ("flat", flat, {}),
            ("HNSW", graph, {"efforts": EF, "option": "efSearch"}),
        )
    },
    CODED[0]: partial(Dense, dims=MOST_DIMS, make=codes),
    CODED[1]: partial(
        Dense, dims=MOST_DIMS, make=lists_of_codes, efforts=PROBES, option="nprobe"
    ),
    **{name: partial(Opened, name=name) for name in ("seismic", *KEPT, "kannolo")},
}  # fmt: skip


def missing(name: str, address: str | None) -> str:
    """Why a contender cannot take part, "" where it can."""
    engine = "faiss-flat" if name.startswith("faiss") else name
    if engine in engines.ENGINES and engine not in engines.available():
        return f"{' and '.join(engines.ENGINES[engine].packages)} is not installed"
    return "no server" if name == "pgvector" and address is None else ""
