"""Every engine that is installed finds what exact search finds, or says that it may not."""

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix
from served_rows import anchored_rows, best_scores, dense_rows, histories_of, signed_rows

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError, StorageError
from celsa_lib.retrieval import engines, split_signs
from celsa_lib.retrieval.engines import opening, registry
from celsa_lib.retrieval.engines.base import MemoryEngine, as_answer
from celsa_lib.retrieval.engines.filling import EngineRows
from celsa_lib.retrieval.engines.index import Index
from celsa_lib.retrieval.engines.registry import AGAIN, AS_IS, SPLIT, EngineInfo

GRAPH_RECALL = 0.9  # of a graph, at least; the others find all
KEEPING = [name for name, info in engines.ENGINES.items() if info.place == registry.FOLDER]
SIGNED, ANCHORED, DENSE = signed_rows(), anchored_rows(), dense_rows()
STRANGE = ["", "a'b", 'a"b', "a;--", "ü ☃", "{1:2}/3", "%s", "a\tb\\N", "🦜" * 50, " 7", "7", "\n"]


def installed(name: str) -> None:
    """Skip where a package of the engine is missing."""
    info = engines.ENGINES[name]
    if not info.is_available:
        pytest.skip(f"{' and '.join(info.packages)} not installed")


@pytest.fixture(params=engines.ENGINES)
def name(request) -> str:
    installed(request.param)
    return request.param


@pytest.fixture
def place(name, request, tmp_path) -> dict:
    """Where this engine may keep rows: an empty folder, or a server with no such table."""
    return place_of(name, request, tmp_path)


def place_of(name, request, tmp_path) -> dict:
    if name == "pgvector":
        table = f"t{abs(hash(request.node.name)) % 10**9}"
        return {"address": request.getfixturevalue("postgres"), "table": table}
    if name == "qdrant":
        return {"address": ":memory:"}  # the client's own stand-in for a server
    if name == "milvus-server":
        installed("milvus")  # and so a server is stood in for by one in the process
        return {"address": str(tmp_path / "server.db"), "table": "films"}
    return {"path": tmp_path / "rows"} if name in KEEPING else {}


def check(found, embeddings, latents, recall=1.0, **rules) -> None:
    """An answer: scores are true, and they are the best ones, or `recall` of these."""
    (ids, scores), out, only = found, rules.pop("out", ()), rules.pop("only", None)
    numbers = [embeddings.item_ids.tolist().index(item) for item in ids.tolist()]
    true = embeddings.matrix[numbers].toarray() @ latents.toarray()[0]
    np.testing.assert_allclose(scores, true, rtol=1e-4, atol=1e-5)
    best = best_scores(embeddings, latents, out=out, only=only, **rules)
    assert len(scores) == len(best) == len(set(numbers))
    assert (np.diff(scores) <= 1e-5).all() and not set(numbers) & set(out)
    assert only is None or set(numbers) <= set(only)
    if len(best):
        assert (scores >= best[-1] - 1e-5).mean() >= recall
    if recall == 1:
        np.testing.assert_allclose(scores, best, rtol=1e-4, atol=1e-5)


def check_similar(index, embeddings, item, recall) -> None:
    """The other items of the largest cosines, or `recall` of these."""
    ids, cosines = index.similar(embeddings.item_ids[item], 12)
    numbers = [embeddings.item_ids.tolist().index(one) for one in ids.tolist()]
    rows = embeddings.matrix.toarray().astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    true = rows @ rows[item]
    np.testing.assert_allclose(cosines, true[numbers], rtol=1e-4, atol=1e-5)
    best = np.sort(np.delete(true, item))[::-1][:12]
    assert item not in numbers and len(set(numbers)) == 12
    assert (cosines >= best[-1] - 1e-5).mean() >= recall


def recall_of(name) -> float:
    return 1.0 if engines.ENGINES[name].is_exact else GRAPH_RECALL


@pytest.mark.parametrize(
    "embeddings", [SIGNED, ANCHORED, DENSE], ids=["signed", "anchored", "dense"]
)
def test_the_best_rows_are_found(name, place, embeddings):
    X, recall = histories_of(embeddings), recall_of(name)
    with engines.open(name, embeddings, **place) as index:
        for latents, seen in zip(csr_matrix(embeddings.encode(X)), X, strict=True):
            seen = seen.indices
            ids = embeddings.item_ids[seen]
            check(index.search(latents), embeddings, latents, recall)
            check(index.search(latents, 25, ids), embeddings, latents, recall, n=25, out=seen)
        check(index.search(-latents, 5), embeddings, -latents, recall, n=5)
        only = np.arange(3, 30)
        found = index.search(latents, 5, ids, filter=embeddings.item_ids[only])
        check(found, embeddings, latents, recall, n=5, out=seen, only=only)
        everything = index.search(latents, 10**6)
        check(everything, embeddings, latents, n=10**6)
        nothing = index.search(latents, 5, exclude=embeddings.item_ids)
        assert [len(part) for part in nothing] == [0, 0]
        check(index.search(0 * latents, 3), embeddings, 0 * latents, n=3)
        check_similar(index, embeddings, 7, recall)


def test_one_row_and_strange_ids(name, place):
    rows = signed_rows(len(STRANGE), ids=np.array(STRANGE, dtype=object))
    with engines.open(name, rows, **place) as index:
        latents = rows.encode(csr_matrix(np.eye(len(STRANGE), dtype=np.float32)[3:4]))
        check(index.search(latents, 20), rows, latents, n=20)
        check(index.search(latents, 20, STRANGE[:5]), rows, latents, n=20, out=range(5))
    one = cl.ItemEmbeddings(rows.matrix[:1], ["ü"])
    options = {name: value for name, value in place.items() if name != "path"}
    if "table" in options:
        options["table"] += "_one"
    with engines.open(name, one, **options) as index:
        ids, scores = index.search(one.matrix, 3)
        assert [len(part) for part in index.similar("ü", 3)] == [0, 0]
        assert ids.tolist() == ["ü"] and scores[0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", [*KEEPING, "pgvector", "qdrant", "milvus-server"])
def test_rows_are_kept_replaced_and_written_once(name, request, tmp_path):
    installed(name)
    if name == "qdrant":
        pytest.skip("its stand-in for a server forgets")
    place = place_of(name, request, tmp_path)
    other = signed_rows(90, seed=5)
    items = pd.DataFrame({"title": ["It's \t\\N"] * 90}, index=other.item_ids)
    with pytest.raises(StorageError, match="no rows yet"):
        engines.open(name, SIGNED, **place, fill=False)
    assert engines.load_rows(name, SIGNED, **place, progress=False) == 300
    assert engines.load_rows(name, SIGNED, **place, progress=False) == 0
    latents = SIGNED.matrix[4]
    with engines.open(name, SIGNED, **place, fill=False) as index:
        check(index.search(latents), SIGNED, latents)
    with pytest.raises(StorageError, match="other rows"):
        engines.open(name, other, items, **place)
    if name in KEEPING and name != "sqlite":
        with pytest.raises(StorageError, match="rows of another engine"):
            engines.load_rows("sqlite", SIGNED, **place, progress=False)
    assert engines.load_rows(name, other, items, **place, progress=False) == 90
    with engines.open(name, other, items, **place, fill=False) as index:
        check(index.search(latents, 90), other, latents, n=90)
    with pytest.raises(StorageError, match="other rows"):
        engines.open(name, SIGNED, **place)


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from served_rows import signed_rows
from celsa_lib.retrieval.engines import opening, load_rows
from celsa_lib.retrieval.engines.registry import engine_info
opening.BATCH_ROWS = 50
engine = engine_info({name!r}).engine_class()
add = engine.add
def add_two(self, batch):
    add(self, batch)
    if batch.start == 100:
        os.kill(os.getpid(), signal.SIGKILL)
engine.add = add_two
load_rows({name!r}, signed_rows(), progress=False, **{place!r})
"""


@pytest.mark.parametrize("name", [*KEEPING, "pgvector"])
def test_a_killed_load_goes_on(name, request, tmp_path, monkeypatch):
    installed(name)
    place = place_of(name, request, tmp_path)
    monkeypatch.setattr(opening, "BATCH_ROWS", 50)
    former = signed_rows(60, seed=9)
    engines.load_rows(name, former, **place, progress=False)
    shown = {key: str(value) for key, value in place.items()}
    code = textwrap.dedent(KILLED).format(tests=str(Path(__file__).parent), name=name, place=shown)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    latents = SIGNED.matrix[4]
    with engines.open(name, former, **place, fill=False) as index:
        check(index.search(latents), former, latents)
    assert engines.load_rows(name, SIGNED, **place, progress=False) <= 200
    with engines.open(name, SIGNED, **place, fill=False) as index:
        check(index.search(latents, 300), SIGNED, latents, n=300)


class Signless(MemoryEngine):
    """What an engine without negative values finds in split rows: those that it touches."""

    def build(self, rows):
        self.rows = split_signs(rows)

    def ask(self, latents, n, out, only):
        scores = (self.rows @ latents.T).toarray().ravel()
        touched = np.flatnonzero(scores > 0)
        best = touched[np.argsort(-scores[touched], kind="stable")][:n]
        return as_answer(best, scores[best])


class Rounding(MemoryEngine):
    """What an engine with values of few bits finds."""

    def build(self, rows):
        self.rows = rows.copy()
        self.rows.data = np.round(self.rows.data, 1)

    def ask(self, latents, n, out, only):
        scores = (self.rows @ latents.T).toarray().ravel()
        best = np.argsort(-scores, kind="stable")[:n]
        return as_answer(best, scores[best])


def index_of(engine_class, info, rows) -> tuple[Index, cl.ItemEmbeddings]:
    embeddings = cl.ItemEmbeddings(csr_matrix(rows))
    source = EngineRows.of(embeddings, None)
    engine = engine_class(None, rows.shape[1], "", "")
    engine.build(source.rows)
    return Index(info, engine, source), embeddings


VALUES = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.0, 0.0, 0.5, 1.0, 2.0])


@settings(deadline=None, max_examples=60)
@given(
    rows=arrays(np.float32, (14, 5), elements=VALUES),
    user=arrays(np.float32, (1, 5), elements=VALUES),
    n=st.integers(1, 16),
    out=st.sets(st.integers(0, 13)),
)
def test_split_rows_ranked_again_are_exact(rows, user, n, out):
    info = EngineInfo("signless", "", handling=SPLIT, only_touched=True)
    index, embeddings = index_of(Signless, info, rows)
    latents = csr_matrix(user)
    check(index.search(latents, n, out), embeddings, latents, n=n, out=sorted(out))


def test_ranking_again_gives_true_scores_and_mends_what_rounding_did():
    again = EngineInfo("rounding", "", handling=AGAIN, is_exact=False)
    rows = SIGNED.matrix.toarray()
    index, embeddings = index_of(Rounding, again, rows)
    latents = SIGNED.encode(histories_of(SIGNED))[0]
    check(index.search(latents), embeddings, latents, 0.8)
    index, _ = index_of(Rounding, replace(again, handling=AS_IS), rows)
    with pytest.raises(AssertionError):
        check(index.search(latents), embeddings, latents, 0.8)


def test_packed_rows_serve(tmp_path):
    packed = SIGNED.pack(8, tmp_path / "rows.packed")
    latents = packed.encode(histories_of(SIGNED))[0]
    with engines.open("exact", packed) as index:
        check(index.search(latents), packed.unpack(), latents)


def test_latents_and_ids_that_do_not_fit_are_refused():
    with engines.open("exact", SIGNED) as index:
        assert len(index) == 300 and "exact, 300 items × 4096" in repr(index)
        for wrong, error, said in (
            (SIGNED.matrix[:2], ConfigError, "2 users"),
            (np.zeros(7), DataError, "width 7"),
            (np.full(4_096, np.nan), DataError, "not finite"),
        ):
            with pytest.raises(error, match=said):
                index.search(wrong)
        with pytest.raises(ConfigError, match="n must be"):
            index.search(SIGNED.matrix[0], 0)
        for item in ("x", ["x"], [0, 1], {}):
            with pytest.raises(DataError, match="there is no item"):
                index.similar(item)
        with pytest.raises(ConfigError, match="n must be"):
            index.similar(0, 0)
        with pytest.raises(ConfigError, match="several ids"):
            index.search(SIGNED.matrix[0], exclude="abc")
        vector = SIGNED.matrix[0].toarray()[0]
        first, second = index.search(vector, exclude=[10**6]), index.search(SIGNED.matrix[0])
        np.testing.assert_array_equal(first[0], second[0])


def test_places_and_engines_that_are_not_there_are_refused(tmp_path, monkeypatch):
    for arguments, said in (
        (("qdrannt",), 'no engine "qdrannt"; choose one of exact'),
        (("pgvector",), "needs the address"),
        (("exact", None, None, "here"), "takes no address"),
        (("exact", None, tmp_path), "nothing in a folder"),
        (("sqlite", None, tmp_path, None, "Robert'); DROP"), "name of a table"),
    ):
        with pytest.raises(ConfigError, match=said):
            engines.open(arguments[0], SIGNED, *arguments[1:])
    with pytest.raises(ConfigError, match="would not keep"):
        engines.load_rows("exact", SIGNED)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        engines.open("sqlite", SIGNED, path=tmp_path / "file")
    (tmp_path / "celsa.json").write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        engines.open("sqlite", SIGNED, path=tmp_path)
    with pytest.raises(DataError, match="not each is one"):
        engines.open("sqlite", SIGNED, pd.DataFrame({"title": ["A"]}, index=["b"]))
    monkeypatch.setattr(registry, "find_spec", lambda module: None)
    assert engines.available() == ["exact", "sqlite"]
    with pytest.raises(ConfigError, match=r"qdrant-edge-py.*celsa\[retrieval\]"):
        engines.open("qdrant-edge", SIGNED)


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("pgvector", "postgresql://nobody@127.0.0.1:1/none", "cannot reach PostgreSQL"),
        ("qdrant", "http://127.0.0.1:1", "whether a server is running"),
        ("qdrant", "not an address", "Qdrant"),
        ("milvus-server", "not an address", "Milvus at not an address"),
    ],
)
def test_a_server_that_does_not_answer(name, address, said):
    installed(name)
    with pytest.raises(StorageError, match=said):
        engines.open(name, SIGNED, address=address)


def test_an_alias_of_someone_else_stays():
    installed("qdrant")
    from qdrant_client import models

    engine = engines.ENGINES["qdrant"].engine_class()(":memory:", 8, "ab12", "items")
    client, alias = engine._client, models.CreateAlias(collection_name="theirs", alias_name="items")
    client.create_collection("theirs", vectors_config={})
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    with pytest.raises(StorageError, match='collection "theirs", which no load has made'):
        engine.held()


def test_a_table_of_someone_else_stays(postgres):
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs (a integer)")
    with pytest.raises(StorageError, match="not one of celsa"):
        engines.load_rows("pgvector", SIGNED, address=postgres, table="theirs")


def test_more_latents_than_a_sparsevec_holds(postgres, monkeypatch):
    from celsa_lib.retrieval.engines import pgvector

    monkeypatch.setattr(pgvector, "MOST_NONZEROS", 7)
    latents = SIGNED.encode(histories_of(SIGNED))[0]
    with engines.open("pgvector", SIGNED, address=postgres, table="parts") as index:
        check(index.search(latents), SIGNED, latents)
