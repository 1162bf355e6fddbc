"""The rows that come with the library: complete, small, as good as their record says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import celsa_lib as cl
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import DataError, StorageError
from celsa_lib.experiments.shipped_study import rows_folder, run_shipped, shipped_config
from celsa_lib.experiments.task import prepare
from celsa_lib.results import load_result
from celsa_lib.shipped import goodbooks_rows, load_shipped, write_shipped
from celsa_lib.shipped.rows import GOODBOOKS_ROWS
from celsa_lib.titles import history_of, recommend_by_title, similar_to_title

STORED = Path(__file__).parents[1] / "results/goodbooks-rows.json"


@pytest.fixture(scope="module")
def books():
    return goodbooks_rows()


def test_books_have_rows_titles_and_authors_without_any_data(books, monkeypatch):
    monkeypatch.setenv("CELSA_DATA", "/nowhere")
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    books = cl.goodbooks_rows()
    assert list(books.packed) == [16, 8]
    assert len(books.items) == 10_000 and (books.items["title"].str.len() > 0).all()
    assert (books.items["authors"].str.len() > 0).mean() > 0.99
    for nnz, rows in books.packed.items():
        assert rows.shape == (10_000, 10_000) and rows.bits == 4
        assert books.unpacked[nnz].matrix.nnz / 10_000 == pytest.approx(nnz, abs=0.1)
        assert books.unpacked[nnz].is_anchored
    assert books.packed[16].bytes_per_item < 32 and books.packed[8].bytes_per_item < 18
    assert books.embeddings is books.unpacked[16]


def test_they_take_less_than_a_megabyte_and_say_where_they_are_from():
    files = list(GOODBOOKS_ROWS.iterdir())
    assert sum(file.stat().st_size for file in files) < 1_000_000
    text = (GOODBOOKS_ROWS / "ATTRIBUTION.md").read_text()
    assert "CC BY-SA 4.0" in text and "Zygmunt Zając" in text


def test_no_user_is_told_from_the_counts(books):
    """Only sums over many users are there: a column, and no more than there were users."""
    assert (
        books.chosen.shape == (10_000,)
        and books.chosen.max() < books.record(16)["users"]["reported"]
    )


def test_the_record_is_that_of_the_stored_study(books):
    rows = load_result(STORED).select(form="4 bits")
    stored = {row["params"]["nnz"]: row for row in rows}
    for nnz in books.packed:
        record = books.record(nnz)
        assert record["ndcg@100"] == stored[nnz]["mean"]["ndcg@100"]
        assert record["run"] == stored[nnz]["run"] and record["seed"] == stored[nnz]["seed"]
        assert {"data", "checksum", "machine", "versions", "users"} <= set(record)


def test_they_score_as_the_record_says(books, real_data):
    config = shipped_config("goodbooks-10k-partial")
    data, task = prepare(config)
    for nnz, rows in books.packed.items():
        assert books.record(nnz)["checksum"] == data.checksum
        found = cl.evaluate(rows, task.folds).mean["ndcg@100"]
        assert found == pytest.approx(books.record(nnz)["ndcg@100"], abs=2e-5)


@pytest.mark.parametrize(
    ("liked", "expected"),
    [
        (["The Hobbit"], "Lord of the Rings"),
        (["Murder on the Orient Express"], "Agatha|Murder|Nile|None"),
        (["Mort (Death, #1; Discworld, #4)"], "Discworld"),
    ],
)
def test_a_reader_gets_books_like_those_liked(books, liked, expected):
    found = recommend_by_title(books.packed[16], books, liked, n=5)
    assert found["title"].str.contains(expected).any(), found
    near = similar_to_title(books.embeddings, books, liked[0], n=5)
    assert near["title"].str.contains(expected).any(), near
    assert history_of(books, liked).nnz == len(liked)


def test_the_study_writes_what_can_be_loaded(tmp_path):
    out = tmp_path / "rows.json"
    result = run_shipped("synthetic", "smoke", out)
    found = load_shipped(tmp_path / "rows")
    assert found.name == "synthetic" and list(found.packed) == [16, 8]
    for nnz in found.packed:
        (row,) = [r for r in result.select(form="4 bits") if r["params"]["nnz"] == nnz]
        assert found.record(nnz)["ndcg@100"] == row["mean"]["ndcg@100"]
    before = {path: path.read_bytes() for path in (tmp_path / "rows").iterdir()}
    run_shipped("synthetic", "smoke", out)  # nothing is trained again
    assert before == {path: path.read_bytes() for path in (tmp_path / "rows").iterdir()}


def test_only_the_stored_study_writes_into_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = tmp_path / "results" / "goodbooks-rows.json"
    assert rows_folder("laptop", stored) == GOODBOOKS_ROWS
    assert rows_folder("laptop", tmp_path / "mine.json") == tmp_path / "mine"
    assert rows_folder("smoke", stored) == tmp_path / "results" / "goodbooks-rows"


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(StorageError, match="no rows"):
        load_shipped(tmp_path)
    items = pd.DataFrame({"title": ["a", "b"]}, index=[1, 2])
    rows = ItemEmbeddings(np.eye(2, dtype=np.float32), [1, 2])
    write_shipped(tmp_path, items, np.array([5, 4]), {1: rows})
    assert load_shipped(tmp_path).items["title"].tolist() == ["a", "b"]
    write_shipped(tmp_path, items.set_axis([2, 1]), np.array([5, 4]), {})
    with pytest.raises(DataError, match="other items"):
        load_shipped(tmp_path)
