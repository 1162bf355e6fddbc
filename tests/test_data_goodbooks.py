"""Genres as words; the paper's test users of Goodbooks-10k, and who else there is."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset, GoodbooksTestUsers, load_goodbooks_test_users
from celsa_lib.data.genres import genre_name
from celsa_lib.errors import DataError, DatasetNotFoundError, StorageError


@pytest.fixture
def books():
    """Users 7, 8, 9 and books 30, 10."""
    X = csr_matrix(np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    items = pd.DataFrame({"title": ["a", "b"]}, index=[30, 10])
    return Dataset("books", X, np.array([7, 8, 9]), np.array([30, 10]), items, "", "")


def test_others_in_the_test_users_columns(books):
    nothing = csr_matrix((1, 3), dtype=np.float32)
    test = GoodbooksTestUsers(nothing, np.array([10, 20, 30]), np.array([9]), nothing)
    assert test.others(books).toarray().tolist() == [[0, 0, 1], [1, 0, 1]]
    fewer = GoodbooksTestUsers(nothing, np.array([10, 20]), np.array([9]), nothing)
    with pytest.raises(DataError, match="1 items of books, the first 30, are not among"):
        fewer.others(books)


def test_the_papers_test_users(real_data):
    found = load_goodbooks_test_users(real_data)
    assert found.X.shape == (2500, 10_000)
    assert found.X.nnz == 192_357
    assert found.released.shape == (10_000, 2048)
    assert (found.released.getnnz(axis=1) == 16).all()
    assert found.item_ids[:3].tolist() == [1, 10, 100]
    assert len(found.likely_user_ids) == 2500


def test_test_users_that_are_missing_or_damaged(tmp_path, monkeypatch):
    monkeypatch.delenv("CELSA_DATA", raising=False)
    with pytest.raises(DatasetNotFoundError, match="set CELSA_DATA"):
        load_goodbooks_test_users()
    folder = tmp_path / "goodbooks-10k-test-users"
    folder.mkdir()
    (folder / "test_users.npz").write_bytes(b"no archive")
    with pytest.raises(DatasetNotFoundError, match=r"lacks book_ids.txt"):
        load_goodbooks_test_users(tmp_path)
    (folder / "book_ids.txt").write_text("1\n")
    (folder / "likely_user_ids.csv").write_text("test_row,user_id\n0,1\n")
    (folder / "released_embeddings_2048_16nnz.npz").write_bytes(b"")
    with pytest.raises(StorageError, match=r"test_users.npz .* damaged; fetch it again"):
        load_goodbooks_test_users(tmp_path)
    numbers = {"data": np.ones(2), "indices": np.zeros(2, int), "indptr": np.array([0, 9999, 0])}
    for shape, said in [((2, 1), "do not ascend"), ((2, 1 + 0j), "values or indices that are no")]:
        np.savez(folder / "test_users.npz", format=b"csr", shape=shape, **numbers)
        with pytest.raises(DataError, match=f"test_users.npz .*{said}"):
            load_goodbooks_test_users(tmp_path)


@pytest.mark.parametrize(
    ("genre", "name"),
    [
        ("sci-fi", "Science Fiction"),
        ("ya-lit", "Young Adult Literature"),
        ("children-s-books", "Children's"),
        ("non-fiction", "Non-fiction"),
        ("Film-Noir", "Film-Noir"),
        ("19th-century", "19th Century"),
        ("chick-lit", "Chick Lit"),
        ("chick-lit-romance", "Chick Lit Romance"),
        ("teens", "Young Adult"),
        ("women-s-fiction", "Women's Fiction"),
        ("us-history", "American History"),
        ("u-s-history", "American History"),
        ("world-war-2", "World War II"),
        ("world-war-i", "World War I"),
        ("world-war-i-memoirs", "World War I Memoir"),
        ("to-read", ""),
        ("books-i-own", ""),
        ("i-own", ""),
        ("owned-books", ""),
        ("my-favourites", ""),
        ("currently-reading", ""),
        ("books-i-want-to-read", ""),
        ("manga-i-ve-read", "Manga"),
        ("my-manga", "Manga"),
        ("to-read-fantasy", "Fantasy"),
        ("readers-advisory", "Readers Advisory"),
        ("mythology", "Mythology"),
    ],
)
def test_genres_become_words(genre, name):
    assert genre_name(genre) == name
