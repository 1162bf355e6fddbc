"""Read the original files of MovieLens and Goodbooks: high ratings in, item metadata beside."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.data.checks import check_range, reading, require_columns
from celsa_lib.data.download import find_file
from celsa_lib.data.registry import DatasetInfo
from celsa_lib.errors import DataError

CHUNK_ROWS = 1_000_000
ML100K_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
GOODREADS_GENRES = (
    "art",
    "biography",
    "business",
    "chick-lit",
    "children",
    "christian",
    "classics",
    "comics",
    "contemporary",
    "cookbooks",
    "crime",
    "fantasy",
    "fiction",
    "gay-and-lesbian",
    "graphic-novels",
    "historical-fiction",
    "history",
    "horror",
    "humor",
    "manga",
    "memoir",
    "music",
    "mystery",
    "non-fiction",
    "paranormal",
    "philosophy",
    "poetry",
    "psychology",
    "religion",
    "romance",
    "science",
    "science-fiction",
    "self-help",
    "spirituality",
    "sports",
    "suspense",
    "thriller",
    "travel",
    "young-adult",
)


@dataclass(frozen=True)
class HighRatings:
    """Interactions whose rating was high enough: ids (n_rows,), metadata by item id, the files."""

    users: np.ndarray
    items: np.ndarray
    metadata: pd.DataFrame
    files: tuple[Path, ...]


def read_ml100k(folder: Path, info: DatasetInfo, min_rating: float) -> HighRatings:
    """MovieLens 100K, as GroupLens publishes it or as RecBole does; both give the same data."""
    columns = ("user_id", "item_id", "rating")
    if ratings := find_file(folder, "u.data"):
        layout = {"sep": "\t", "header": None, "names": [*columns, "timestamp"]}
        movies = find_file(folder, "u.item")
        metadata = _u_item(movies)
    else:
        ratings, movies = find_file(folder, "ml-100k.inter"), find_file(folder, "ml-100k.item")
        columns = ("user_id:token", "item_id:token", "rating:float")
        layout, metadata = {"sep": "\t"}, _recbole_item(movies)
    users, items = high_ratings(ratings, columns, info.rating_range, min_rating, **layout)
    return HighRatings(users, items, metadata, (ratings, movies))


def read_ml1m(folder: Path, info: DatasetInfo, min_rating: float) -> HighRatings:
    """MovieLens 1M: fields parted by '::', titles in latin-1."""
    ratings, movies = find_file(folder, "ratings.dat"), find_file(folder, "movies.dat")
    # Read as fields parted by ':' with empty ones between: the fast parser takes one character.
    names = ["user_id", "empty_1", "item_id", "empty_2", "rating", "empty_3", "timestamp"]
    layout = {"sep": ":", "header": None, "names": names}
    columns = ("user_id", "item_id", "rating")
    users, items = high_ratings(ratings, columns, info.rating_range, min_rating, **layout)
    ids, titles, genres = columns_of(movies, "::", 3)
    table = movie_table(ids, titles)
    table["genres"] = genres
    return HighRatings(users, items, table, (ratings, movies))


def read_ml20m(folder: Path, info: DatasetInfo, min_rating: float) -> HighRatings:
    """MovieLens 20M: CSV with a header, half-star ratings."""
    ratings, movies = find_file(folder, "ratings.csv"), find_file(folder, "movies.csv")
    columns = ("userId", "movieId", "rating")
    users, items = high_ratings(ratings, columns, info.rating_range, min_rating)
    rows = read_table(movies, ("movieId", "title", "genres"))
    table = movie_table(rows["movieId"], rows["title"])
    table["genres"] = rows["genres"].replace("(no genres listed)", "").to_numpy()
    return HighRatings(users, items, table, (ratings, movies))


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


def high_ratings(
    path: Path, columns: tuple[str, str, str], bounds, min_rating: float, **layout
) -> tuple[np.ndarray, np.ndarray]:
    """Users and items (int32) of the rows of a text file with rating ≥ `min_rating`.

    `columns` are (user, item, rating), `layout` goes to pandas. Raises DataError on a missing
    column, a value that is no number, or a rating out of `bounds`.
    """
    kept = [
        (users[ratings >= min_rating], items[ratings >= min_rating])
        for users, items, ratings in _chunks(path, columns, bounds, **layout)
    ]
    if not kept:
        raise DataError(f"{path} has no ratings; fetch it again")
    return np.concatenate([u for u, _ in kept]), np.concatenate([i for _, i in kept])


def _chunks(path: Path, columns, bounds, **layout) -> Iterator[tuple[np.ndarray, ...]]:
    user, item, rating = columns
    dtype = {user: np.int32, item: np.int32, rating: np.float32}
    first_line = 1 if "names" in layout else 2
    with reading(path):
        _require_header(path, columns, layout)
        try:
            with pd.read_csv(
                path, usecols=list(columns), dtype=dtype, chunksize=CHUNK_ROWS, **layout
            ) as chunks:
                for chunk in chunks:
                    start = chunk.index.start + first_line
                    ratings = chunk[rating].to_numpy()
                    check_range(ratings, bounds, lambda k, s=start: f"{path}, line {s + k}")
                    yield chunk[user].to_numpy(), chunk[item].to_numpy(), ratings
        except (pd.errors.ParserError, UnicodeDecodeError, DataError):
            raise
        except (ValueError, OverflowError) as error:
            raise _bad_value(path, columns, first_line, layout) or error from error


def _require_header(path: Path, columns, layout: dict) -> None:
    header = pd.read_csv(path, nrows=0, **layout).columns
    require_columns(header, columns, str(path))


def _bad_value(path: Path, columns, first_line: int, layout: dict) -> DataError | None:
    """The error that names the first value that is no number; reads the file again as text."""
    text = {"dtype": str, "usecols": list(columns), "keep_default_na": False}
    with pd.read_csv(path, chunksize=CHUNK_ROWS, **text, **layout) as chunks:
        for chunk in chunks:
            bad = chunk.apply(pd.to_numeric, errors="coerce").isna()
            if bad.to_numpy().any():
                row = bad.any(axis=1).idxmax()
                column = bad.loc[row].idxmax()
                return DataError(
                    f"{path}, line {row + first_line}, column {column!r}: "
                    f"{chunk.at[row, column]!r} is not a number; correct or drop the row"
                )
    return None


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Some columns of a CSV with a header; raises DataError when one is missing."""
    with reading(path):
        _require_header(path, columns, {})
        return pd.read_csv(path, usecols=list(columns))


def columns_of(
    path: Path, separator: str, n_fields: int, encoding: str = "latin-1", header: int = 0
) -> list[tuple[str, ...]]:
    """Columns of a text file, gzipped or not; `header` lines and blank ones are left out.

    The first field is an item id, and the last may hold separators. Raises DataError.
    """
    rows = []
    with reading(path), _open_text(path, encoding) as lines:
        for number, line in enumerate(lines, 1):
            row = line.rstrip("\n").split(separator, n_fields - 1)
            if number <= header or not line.strip():
                continue
            if len(row) < n_fields or not row[0].strip().isdecimal():
                raise DataError(
                    f"{path}, line {number}: expected {n_fields} fields parted by {separator!r}, "
                    "the first a whole number; the file is truncated or corrupt, fetch it again"
                )
            rows.append(row)
    return list(zip(*rows, strict=True)) or [()] * n_fields


def _open_text(path: Path, encoding: str):
    import gzip

    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding=encoding)


def movie_table(ids, titles) -> pd.DataFrame:
    """Titles by item id, with the year taken out of 'Title (1995)' into its own column."""
    full = pd.Series(list(titles), dtype=str).str.strip()
    parts = full.str.extract(r"^(?P<title>.*?)\s*\((?P<year>\d{4})\)(?:\s*\(V\))?$")
    return pd.DataFrame(
        {
            "title": parts["title"].fillna(full).to_numpy(dtype=object),
            "year": pd.to_numeric(parts["year"]).astype("Int64").array,
        },
        index=pd.Index(np.asarray(list(ids), dtype=np.int64), name="item_id"),
    )


def _u_item(path: Path) -> pd.DataFrame:
    ids, titles, _, _, _, *flags = columns_of(path, "|", 5 + len(ML100K_GENRES))
    table = movie_table(ids, titles)
    table["genres"] = ["|".join(_flagged(row)) for row in zip(*flags, strict=True)]
    return table


def _flagged(flags: tuple[str, ...]) -> list[str]:
    return [genre for genre, flag in zip(ML100K_GENRES, flags, strict=True) if flag == "1"]


def _recbole_item(path: Path) -> pd.DataFrame:
    ids, titles, years, genres = columns_of(path, "\t", 4, encoding="utf-8", header=1)
    # Item 267 has neither title nor year; this copy of the data misspells its "unknown".
    titles = ["unknown" if title == "unkonwn" else title for title in titles]
    table = movie_table(ids, titles)
    # One title keeps its "(1995)" because "(V)" follows it in the original, and has year "V".
    years = pd.to_numeric(pd.Series(years, index=table.index), errors="coerce")
    table["year"] = years.astype("Int64").fillna(table["year"])
    table["genres"] = ["|".join(text.split()) for text in genres]
    return table


def _books(home: Path, books: Path) -> pd.DataFrame:
    columns = ("book_id", "goodreads_book_id", "title", "authors", "original_publication_year")
    rows = read_table(books, columns).set_index("book_id")
    table = rows[["title", "authors"]].copy()
    table["year"] = rows["original_publication_year"].round().astype("Int64")
    genres = _shelves(home) if find_file(home, "book_genres.csv") else None
    if genres is None and find_file(home, "book_tags.csv") and find_file(home, "tags.csv"):
        genres = _genres_from_tags(home).reindex(rows["goodreads_book_id"])
        genres.index = rows.index
    table["genres"] = "" if genres is None else genres.reindex(table.index).fillna("")
    if texts := find_file(home, "book_descriptions.csv"):
        rows = read_table(texts, ("book_id", "description")).set_index("book_id")
        table["description"] = rows["description"].str.strip('"').reindex(table.index).fillna("")
    return table


def _shelves(home: Path) -> pd.Series:
    rows = read_table(find_file(home, "book_genres.csv"), ("book_id", "genres"))
    return rows.set_index("book_id")["genres"].str.replace(",", "|", regex=False)


def _genres_from_tags(home: Path) -> pd.Series:
    """Genres by Goodreads id: users' shelves that are genres, the most used first."""
    tags = read_table(find_file(home, "tags.csv"), ("tag_id", "tag_name"))
    used = read_table(
        find_file(home, "book_tags.csv"), ("goodreads_book_id", "tag_id", "count")
    ).merge(tags[tags["tag_name"].isin(GOODREADS_GENRES)], on="tag_id")
    used = used.sort_values("count", ascending=False, kind="stable")
    return used.groupby("goodreads_book_id")["tag_name"].agg("|".join)
