"""Every format that the library reads: how a small whole file is written, and how it is read."""

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, save_npz

import celsa_lib as cl
from celsa_lib.book.notebook import default_parameters
from celsa_lib.data import load_dataset, load_goodbooks_test_users
from celsa_lib.data.goodbooks import TEST_USER_FILES, TEST_USERS
from celsa_lib.embeddings import ItemEmbeddings, PackedEmbeddings
from celsa_lib.report.claims_table import read_claims
from celsa_lib.results import BENCHMARK, Result, load_intact, save_result
from celsa_lib.segments import Segmentation, segment_items
from celsa_lib.segments.naming.answers import AnswerCache
from celsa_lib.training import Checkpoint
from celsa_lib.training.callbacks import Callback
from celsa_lib.workflow.sweep import load_sweep


class Killed(Exception):
    """Ends a training after an epoch, as a kill would."""


class Kill(Callback):
    """Raises Killed where the third pause would be."""

    pauses = 0

    def pause(self, run) -> None:
        """See Callback."""
        self.pauses += 1
        if self.pauses == 3:
            raise Killed


@dataclass(frozen=True)
class Format:
    """A format: `write` puts whole files into a folder and names the one that is damaged, `read`
    reads it there. verified: a checksum is over its content, so that none but the whole is read.
    """

    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    verified: bool = False


def _rows() -> csr_matrix:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(30, 12)) * (rng.random((30, 12)) < 0.3)
    dense[:, 0] = 0.1  # no row is empty
    return csr_matrix(dense.astype(np.float32))


def _embeddings() -> ItemEmbeddings:
    return ItemEmbeddings(_rows(), np.array([f"item {i}" for i in range(30)]))


def _items() -> pd.DataFrame:
    titles = {"title": [f"Title {i}" for i in range(30)], "genres": ["Drama", "War"] * 15}
    return pd.DataFrame(titles, index=[f"item {i}" for i in range(30)])


def _histories() -> csr_matrix:
    rng = np.random.default_rng(1)
    return csr_matrix((rng.random((40, 30)) < 0.3).astype(np.float32))


def _parts(embeddings: ItemEmbeddings) -> tuple:
    matrix = embeddings.matrix
    return matrix.toarray(), embeddings.item_ids.astype(str), embeddings.about


def _train(path: Path, callbacks: list) -> np.ndarray:
    options = {"epochs": 2, "batch_size": 8, "progress": False}
    model = cl.CompressedELSA(16, 4, callbacks=[*callbacks, Checkpoint(path)], **options)
    return model.fit(_histories()).item_embeddings.matrix.toarray()


def _write_checkpoint(folder: Path) -> Path:
    with suppress(Killed):
        _train(folder / "run.npz", [Kill()])
    return folder / "run.npz"


def _read_checkpoint(path: Path) -> np.ndarray:
    content = path.read_bytes()  # a run that ends removes it
    found = _train(path, [])
    path.write_bytes(content)
    return found


def _write_result(folder: Path) -> Path:
    rows = [{"section": "a", "seconds": 1.5, "n": 3, "hash": "h"}, {"section": "b", "ms": [1, 2]}]
    run = {"commit": "abc", "clean": True, "date": "2026-01-01", "machine": {}, "versions": {}}
    manifest = {"kind": BENCHMARK, "what": "made up", "runs": {"first": run | {"threads": 1}}}
    users = {"h": np.linspace(0, 1, 7, dtype=np.float32)}
    return save_result(Result(manifest, rows, {"choice": 0.25}, users), folder / "made.json")


def _read_result(path: Path) -> tuple:
    result = load_intact(path)
    return result.rows, result.trials, result.users, result.manifest


def _write_users(folder: Path) -> Path:
    return _write_result(folder).with_suffix(".users.npz")


def _read_users(path: Path) -> tuple:
    return _read_result(path.with_name("made.json"))


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        content = text.encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write


def _write_segments(folder: Path) -> Path:
    return segment_items(_embeddings(), _items()).save(folder / "segments.npz")


def _read_segments(path: Path) -> tuple:
    found = Segmentation.load(path, _embeddings())
    return found.of_item, found.titles, [label.text for label in found.labels]


def _write_answers(folder: Path) -> Path:
    cache = AnswerCache(folder / "answers.jsonl")
    for number, name in enumerate(("Space Drama", "War", None)):
        cache.add(f"key {number}", "a model", name)
    return cache.path


def _read_answers(path: Path) -> list:
    cache = AnswerCache(path)
    return [len(cache), *(cache.get(f"key {number}") for number in range(3))]


NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Title\n"]},
        {
            "cell_type": "code", "id": "b", "metadata": {"tags": ["parameters"]}, "outputs": [],
            "execution_count": None, "source": ["seed = 0\n", 'dataset = "ml-100k"  # a = b\n'],
        },
    ],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip
CLAIMS = {
    "format": "celsa-claims",
    "version": 1,
    "claims": [{"id": "a", "verdict": "reproduced", "checks": [{"what": "x", "outcome": "holds"}]}],
    "findings": [{"id": "b", "checks": []}],
}
TABLE = "user,item,rating\n" + "".join(
    f"u{u},i{i},{1 + (u + i) % 5}\n" for u in range(9) for i in range(7)
)
TITLES = "item,title\n" + "".join(f"i{i},Title {i}\n" for i in range(7))
RATINGS = [(u, i, 4 + i % 2) for u in (10, 1) for i in (30, 4, 5, 6, 7)]


def _lines(separator: str, tail: tuple = (), header: str = "") -> str:
    return header + "".join(separator.join(map(str, (*row, *tail))) + "\n" for row in RATINGS)


def _film(item: int) -> str:
    """What users said of an item, as the Netflix Prize has it."""
    rated = (f"{u},{rating},2005-09-06\n" for u, i, rating in RATINGS if i == item)
    return f"{item}:\n" + "".join(rated)


def _dataset(name: str, damaged: str, files: dict[str, str]) -> Format:
    """A data set of the registry with these files, of which one is damaged."""

    def write(folder: Path) -> Path:
        place = folder / name
        place.mkdir()
        for file, text in files.items():
            _text(file, text)(place)
        return place / damaged

    def read(path: Path) -> tuple:
        data = load_dataset(name, data_dir=path.parents[1])
        return data.X.toarray(), data.user_ids, data.item_ids, data.items["title"].tolist()

    return Format(write, read)


def _own(path: Path, items: Path | None = None) -> tuple:
    data = cl.load_interactions(
        path, user="user", item="item", items=items, min_user_interactions=1
    )
    return data.X.toarray(), data.user_ids.astype(str), data.item_ids.astype(str)


def _write_items(folder: Path) -> Path:
    _text("mine.csv", TABLE)(folder)
    return _text("items.csv", TITLES)(folder)


def _write_parts(folder: Path) -> Path:
    """A folder of Parquet in two files; the second is damaged."""
    place = folder / "parts"
    place.mkdir()
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    frame[:30].to_parquet(place / "a.parquet")
    frame[30:].to_parquet(place / "b.parquet")
    return place / "b.parquet"


def _read_parts(path: Path, store: Path | None = None) -> tuple:
    columns = {"user": "user", "item": "item", "min_user_interactions": 1}
    data = cl.load_interactions(path.parent, store=store, **columns)
    return data.X.toarray(), data.user_ids.astype(str), data.item_ids.astype(str)


def _store(damaged: str) -> Format:
    """What was kept of that folder; one of its files is damaged."""

    def write(folder: Path) -> Path:
        _read_parts(_write_parts(folder), folder / "store")
        return folder / "store" / damaged

    def read(path: Path) -> tuple:
        parts = path.parents[1] / "parts" / "b.parquet"
        return _read_parts(parts, path.parent)

    return Format(write, read, verified=True)


def _write_test_users(folder: Path) -> Path:
    place = folder / TEST_USERS
    place.mkdir()
    users, books, likely, released = (place / name for name in TEST_USER_FILES)
    X, rows = csr_matrix(_histories()[:20]), _rows()
    save_npz(users, X)
    save_npz(released, rows)
    books.write_text("\n".join(map(str, range(30))))
    likely.write_text("user_id\n" + "\n".join(map(str, range(20))) + "\n")
    return users


def _read_test_users(path: Path) -> tuple:
    found = load_goodbooks_test_users(path.parents[1])
    return found.X.toarray(), found.item_ids, found.released.toarray()


INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
RECBOLE = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n" + "".join(
    f"{i}\tMovie {i}\t1995\tAction Comedy\n" for i in range(3, 31)
)
BOOKS = "book_id,goodreads_book_id,authors,original_publication_year,title\n" + "".join(
    f'{i},{i * 100},"A. Writer, B. Writer",{1900 + i}.0,"Book, {i}"\n' for i in (4, 5, 6, 7, 30)
)
FILMS = "".join(f"{i}::Amélie: Part {i} (2001)::Comedy|Romance\n" for i in (4, 5, 6, 7, 30))
BY_BOOK = _lines(",", header="user_id,book_id,rating\n")
ML_100K = {"ml-100k.inter": _lines("\t", (1,), INTER), "ml-100k.item": RECBOLE}
ML_1M = {"ratings.dat": _lines("::", (1,)), "movies.dat": FILMS}
GOODBOOKS_FILES = {"ratings.csv": BY_BOOK, "books.csv": BOOKS}
NETFLIX = {
    "movie_titles.csv": "4,2003,Dinosaur Planet\n5,NULL,Crouching Tiger, Hidden Dragon\n"
} | {
    f"combined_data_{part + 1}.txt": "".join(map(_film, items))
    for part, items in enumerate(((30, 4), (5,), (6,), (7,)))
}
FORMATS: dict[str, Format] = {
    "item embeddings": Format(
        lambda folder: _embeddings().save(folder / "rows.npz"),
        lambda path: _parts(ItemEmbeddings.load(path)), verified=True,
    ),
    "packed rows": Format(
        lambda folder: _embeddings().pack(path=folder / "rows.packed").path,
        lambda path: _parts(PackedEmbeddings.load(path).unpack()), verified=True,
    ),
    "segments": Format(_write_segments, _read_segments, verified=True),
    "checkpoint": Format(_write_checkpoint, _read_checkpoint, verified=True),
    "results": Format(_write_result, _read_result, verified=True),
    "users' values": Format(_write_users, _read_users, verified=True),
    "claims": Format(_text("claims.json", json.dumps(CLAIMS)), read_claims),
    "answers of a language model": Format(_write_answers, _read_answers),
    "notebook": Format(_text("a.ipynb", json.dumps(NOTEBOOK)), default_parameters),
    "sweep": Format(
        _text("a.toml", 'notebook = "quickstart"\nthreads = 1\n[grid]\nseed = [0, 1]\n'),
        lambda path: load_sweep(path).combinations(),
    ),
    "interactions": Format(_text("mine.csv", TABLE), _own),
    "interactions, compressed": Format(_text("mine.csv.gz", TABLE), _own),
    "interactions, a folder of Parquet": Format(_write_parts, _read_parts),
    "interactions kept on disk": _store("indices.npy"),
    "interactions kept on disk, ids": _store("ids_of_items.parquet"),
    "interactions kept on disk, of what": _store("about.json"),
    "items": Format(_write_items, lambda path: _own(path.with_name("mine.csv"), path)),
    "MovieLens-100K": _dataset("ml-100k", "ml-100k.inter", ML_100K),
    "MovieLens-100K, titles": _dataset("ml-100k", "ml-100k.item", ML_100K),
    "MovieLens-1M": _dataset("ml-1m", "ratings.dat", ML_1M),
    "MovieLens-1M, titles": _dataset("ml-1m", "movies.dat", ML_1M),
    "Goodbooks-10k": _dataset("goodbooks-10k-v1", "ratings.csv", GOODBOOKS_FILES),
    "Goodbooks-10k, titles": _dataset("goodbooks-10k-v1", "books.csv", GOODBOOKS_FILES),
    "Netflix Prize": _dataset("netflix-prize", "combined_data_2.txt", NETFLIX),
    "the paper's test users": Format(_write_test_users, _read_test_users),
}  # fmt: skip
