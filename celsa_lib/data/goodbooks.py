"""Goodbooks-10k: its releases, the paper's 2,500 test users, and the rows its authors released."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.arrays import check_csr, plain_arrays
from celsa_lib.data.checks import reading
from celsa_lib.data.dataset import Dataset
from celsa_lib.data.download import data_root, find_file
from celsa_lib.data.formats import HighRatings, high_ratings, years_of
from celsa_lib.data.genres import GENRE_TAGS
from celsa_lib.data.registry import DatasetInfo
from celsa_lib.data.tables import read_table
from celsa_lib.errors import DataError, DatasetNotFoundError

TEST_USERS = "goodbooks-10k-test-users"  # the folder of the paper's test users
TEST_USER_FILES = (
    "test_users.npz",
    "book_ids.txt",
    "likely_user_ids.csv",
    "released_embeddings_2048_16nnz.npz",
)


def read_goodbooks(folder: Path, info: DatasetInfo, min_rating: float) -> HighRatings:
    """Any release of Goodbooks-10k; columns are found by name, as their order differs.

    The partial release has no metadata of its own: it is taken from the folder of the first
    release beside it, where there is one.
    """
    ratings = find_file(folder, "ratings.csv")
    columns = ("user_id", "book_id", "rating")
    users, items = high_ratings(ratings, columns, info.rating_range, min_rating)
    home = folder if find_file(folder, "books.csv") else folder.parent / "goodbooks-10k-v1"
    books = find_file(home, "books.csv")
    metadata = _books(home, books) if books else pd.DataFrame({"title": []})
    return HighRatings(users, items, metadata, (ratings, *([books] if books else [])))


def _books(home: Path, books: Path) -> pd.DataFrame:
    columns = ("book_id", "goodreads_book_id", "title", "authors", "original_publication_year")
    rows = read_table(books, columns).set_index("book_id")
    table = rows[["title", "authors"]].copy()
    table["year"] = years_of(rows["original_publication_year"])
    table["genres"] = _genres(home, rows["goodreads_book_id"])
    if texts := find_file(home, "book_descriptions.csv"):
        rows = read_table(texts, ("book_id", "description")).set_index("book_id")
        table["description"] = rows["description"].str.strip('"').reindex(table.index).fillna("")
    return table


def _genres(home: Path, goodreads_ids: pd.Series) -> pd.Series:
    """Genres by book id: a file's own, or else users' tags that are genres, most used first."""
    if genres := find_file(home, "book_genres.csv"):
        found = read_table(genres, ("book_id", "genres")).set_index("book_id")["genres"]
        return found.str.replace(",", "|", regex=False).reindex(goodreads_ids.index).fillna("")
    tags, used = find_file(home, "tags.csv"), find_file(home, "book_tags.csv")
    if not (tags and used):
        return pd.Series("", goodreads_ids.index)
    names = read_table(tags, ("tag_id", "tag_name"))
    counts = read_table(used, ("goodreads_book_id", "tag_id", "count"))
    counts = counts.merge(names[names["tag_name"].isin(GENRE_TAGS)], on="tag_id")
    counts = counts.sort_values("count", ascending=False, kind="stable")
    found = counts.groupby("goodreads_book_id")["tag_name"].agg("|".join)
    return goodreads_ids.map(found).fillna("")


@dataclass(frozen=True, eq=False)
class GoodbooksTestUsers:
    """Complete histories of the paper's test users, in the paper's column order.

    `X` (2,500 users × 10,000 books), `item_ids` the book id of each column, `likely_user_ids`
    the most likely Goodbooks user of each row (matched by overlap, about 69 % clear-cut: leave
    all of them out of training), `released` the published embeddings (10,000 × 2,048, 16 nonzeros
    per row, unit rows). Data under CC BY-NC 4.0.
    """

    X: csr_matrix
    item_ids: np.ndarray
    likely_user_ids: np.ndarray
    released: csr_matrix

    def others(self, dataset: Dataset) -> csr_matrix:
        """Users of `dataset` who are likely none of them, its columns in the order of `item_ids`.

        A book that `dataset` does not have is an empty column. Raises DataError if it has others.
        """
        place_of = pd.Series(np.arange(len(self.item_ids)), self.item_ids)
        unknown = ~np.isin(dataset.item_ids, self.item_ids)
        if unknown.any():
            raise DataError(
                f"{unknown.sum()} items of {dataset.name}, the first {dataset.item_ids[unknown][0]}"
                f", are not among the books of {TEST_USERS}; use another release of Goodbooks-10k"
            )
        X = dataset.X[~np.isin(dataset.user_ids, self.likely_user_ids)].tocoo()
        columns = place_of[dataset.item_ids].to_numpy()[X.col]
        shape = X.shape[0], len(self.item_ids)
        aligned = csr_matrix((X.data, (X.row, columns)), shape=shape)
        aligned.sort_indices()
        return aligned


def load_goodbooks_test_users(data_dir: str | Path | None = None) -> GoodbooksTestUsers:
    """Load `<data_dir or CELSA_DATA>/goodbooks-10k-test-users`.

    Raises DatasetNotFoundError when the folder or a file of it is missing, DataError when a file
    is damaged or the parts do not fit together.
    """
    root = data_root(data_dir)
    if root is None:
        raise DatasetNotFoundError(f"set CELSA_DATA to a folder that holds {TEST_USERS}/")
    folder = root / TEST_USERS
    missing = [name for name in TEST_USER_FILES if not (folder / name).is_file()]
    if missing:
        raise DatasetNotFoundError(f"{folder} lacks {', '.join(missing)}; put them there")
    users, books, likely, released = (folder / name for name in TEST_USER_FILES)
    with reading(books):
        item_ids = np.array(books.read_text().split(), dtype=np.int64)
    found = GoodbooksTestUsers(
        X=_load_csr(users),
        item_ids=item_ids,
        likely_user_ids=read_table(likely, ("user_id",))["user_id"].to_numpy(),
        released=_load_csr(released),
    )
    shapes = (found.X.shape, found.released.shape[0])
    if shapes != ((len(found.likely_user_ids), len(item_ids)), len(item_ids)):
        raise DataError(f"{folder}: the files do not fit together {shapes}; fetch them again")
    return found


def _load_csr(path: Path) -> csr_matrix:
    """A SciPy .npz as CSR float32 with sorted indices; a pickle inside is refused."""
    with reading(path):
        stored = plain_arrays(path, "sparse rows", "fetch it again")
        if stored["format"].item() != b"csr":
            raise DataError(f"{path} holds {stored['format'].item()!r}, not CSR; fetch it again")
        kinds = [stored[name].dtype.kind for name in ("data", "indices", "indptr", "shape")]
        if kinds[0] not in "fiub" or kinds[1:] != ["i", "i", "i"]:
            raise DataError(f"{path} has values or indices that are no numbers; fetch it again")
        parts = stored["data"].astype(np.float32), stored["indices"], stored["indptr"]
        matrix = csr_matrix(parts, shape=tuple(stored["shape"]))
        check_csr(matrix)
        matrix.sort_indices()
        return matrix
