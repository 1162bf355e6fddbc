"""Read the original files of MovieLens: high ratings, and titles, years and genres beside."""

from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.data.download import find_file
from celsa_lib.data.formats import HighRatings, fields_of, high_ratings, years_of
from celsa_lib.data.genres import NO_GENRE
from celsa_lib.data.registry import DatasetInfo
from celsa_lib.data.tables import read_table

ML100K_GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy "
    "Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"
).split()
YEAR_AT_END = r"\(([0-9]{4})\)(?: \(V\))?$"  # at the end of a title


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
    """MovieLens 1M: fields separated by '::', titles in latin-1."""
    ratings, movies = find_file(folder, "ratings.dat"), find_file(folder, "movies.dat")
    # Read as fields separated by ':' with empty ones between: the fast parser takes one character.
    names = ["user_id", "empty_1", "item_id", "empty_2", "rating", "empty_3", "timestamp"]
    layout = {"sep": ":", "header": None, "names": names}
    columns = ("user_id", "item_id", "rating")
    users, items = high_ratings(ratings, columns, info.rating_range, min_rating, **layout)
    table = _titles_and_years(*fields_of(movies, "::", 3))
    return HighRatings(users, items, table, (ratings, movies))


def read_ml20m(folder: Path, info: DatasetInfo, min_rating: float) -> HighRatings:
    """MovieLens 20M: CSV with a header, half-star ratings."""
    ratings, movies = find_file(folder, "ratings.csv"), find_file(folder, "movies.csv")
    columns = ("userId", "movieId", "rating")
    users, items = high_ratings(ratings, columns, info.rating_range, min_rating)
    rows = read_table(movies, ("movieId", "title", "genres"))
    genres = rows["genres"].replace(NO_GENRE, "")
    table = _titles_and_years(rows["movieId"], rows["title"], genres)
    return HighRatings(users, items, table, (ratings, movies))


def _titles_and_years(ids, titles, genres) -> pd.DataFrame:
    """Metadata by item id, with the year taken out of 'Title (1995)' into its own column."""
    full = pd.Series(list(titles), dtype=str).str.strip()
    years = full.str.extract(YEAR_AT_END, expand=False)
    return pd.DataFrame(
        {
            "title": full.str.replace(YEAR_AT_END, "", regex=True)
            .str.rstrip()
            .to_numpy(dtype=object),
            "year": years_of(years).array,
            "genres": list(genres),
        },
        index=pd.Index(np.asarray(list(ids), dtype=np.int64), name="item_id"),
    )


def _u_item(path: Path) -> pd.DataFrame:
    ids, titles, _, _, _, *flags = fields_of(path, "|", 5 + len(ML100K_GENRES))
    genres = ["|".join(_flagged(row)) for row in zip(*flags, strict=True)]
    return _titles_and_years(ids, titles, genres)


def _flagged(flags: tuple[str, ...]) -> list[str]:
    return [genre for genre, flag in zip(ML100K_GENRES, flags, strict=True) if flag == "1"]


def _recbole_item(path: Path) -> pd.DataFrame:
    ids, titles, years, genres = fields_of(path, "\t", 4, encoding="utf-8", header=1)
    # Item 267 has neither title nor year; this copy of the data misspells its "unknown".
    titles = ["unknown" if title == "unkonwn" else title for title in titles]
    table = _titles_and_years(ids, titles, ["|".join(text.split()) for text in genres])
    # One title keeps its "(1995)" because "(V)" follows it in the original, and has year "V".
    table["year"] = years_of(pd.Series(years, index=table.index)).fillna(table["year"])
    return table
