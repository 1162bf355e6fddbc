"""Read the Netflix Prize's 100 million ratings in both original formats, a block at a time.

Both are the same text: a line "movie:" and then lines "user,rating,date", in four large files or
in one small file per movie. Only ratings that are high enough stay in memory, at six bytes each.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from celsa_lib.data.checks import check_range, open_binary, reading
from celsa_lib.data.download import find_file, form_of
from celsa_lib.data.formats import HighRatings, fields_of, years_of
from celsa_lib.data.registry import DatasetInfo
from celsa_lib.errors import DataError

BLOCK_BYTES = 1 << 25
TYPES = {"user": pa.int32(), "rating": pa.int8()}


def read_netflix(folder: Path, info: DatasetInfo, min_rating: float) -> HighRatings:
    """Ratings ≥ `min_rating` of combined_data_*.txt, training_set/ or training_set.tar.

    Raises DataError on a line that is none of the format's, or a rating out of range.
    """
    form = form_of(folder, info)
    paths = [find_file(folder, name) for name in form]
    users, items = [], []
    for path in paths:
        with reading(path):
            for name, stream in _streams(path):
                for chunk in _rows(stream, name, info.rating_range):
                    keep = chunk[2] >= min_rating
                    users.append(chunk[0][keep])
                    items.append(chunk[1][keep])
    if not users:
        raise DataError(f"{folder} has no ratings in {' and '.join(form)}; fetch it again")
    files = tuple(file for path in paths for file in _files(path))
    return HighRatings(np.concatenate(users), np.concatenate(items), _titles(folder), files)


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("mv_*.txt")) if path.is_dir() else [path]


def _streams(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """(name, binary stream) of every file of ratings in a file, folder or tar."""
    if path.name.endswith((".tar", ".tar.gz")):
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if member.isfile() and Path(member.name).name.startswith("mv_"):
                    yield f"{path}, {member.name}", archive.extractfile(member)
        return
    for file in _files(path):
        with open_binary(file) as stream:
            yield str(file), stream


def _rows(stream: BinaryIO, name: str, bounds) -> Iterator[tuple[np.ndarray, ...]]:
    """(users int32, movies int16, ratings int8) of each block of a stream."""
    movie, rest = None, b""
    while block := stream.read(BLOCK_BYTES):
        head, newline, tail = (rest + block).rpartition(b"\n")
        rest = tail
        if newline:
            movie, rows = _parse(head + newline, movie, name, bounds)
            yield rows
    if rest.strip():
        yield _parse(rest + b"\n", movie, name, bounds)[1]


def _parse(text: bytes, movie: int | None, name: str, bounds):
    """Split whole lines into movie headers and ratings; returns the last movie and the rows."""
    movies, counts, bodies = [], [], []
    start = 0
    while (colon := text.find(b":", start)) >= 0:
        line = text.rfind(b"\n", start, colon) + 1 or start
        _add(movies, counts, bodies, movie, text[start:line], name)
        try:
            movie = int(text[line:colon])
        except ValueError:
            shown = text[line : colon + 1].decode("latin-1")
            raise DataError(f"{name}: {shown!r} is no movie header; fetch it again") from None
        end = text.find(b"\n", colon)
        start = end + 1
    _add(movies, counts, bodies, movie, text[start:], name)
    users, ratings = _columns(b"".join(bodies), movie, name)
    items = np.repeat(np.array(movies, dtype=np.int16), counts)
    check_range(ratings, bounds, lambda k: f"{name}, movie {items[k]}, user {users[k]}")
    return movie, (users, items, ratings)


def _add(movies: list, counts: list, bodies: list, movie: int | None, body: bytes, name) -> None:
    if not body:
        return
    if movie is None:
        raise DataError(f"{name}: ratings stand before any movie header; fetch it again")
    movies.append(movie)
    counts.append(body.count(b"\n"))
    bodies.append(body)


def _columns(body: bytes, movie: int | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    if not body:
        return np.empty(0, np.int32), np.empty(0, np.int8)
    try:
        table = csv.read_csv(
            io.BytesIO(body),
            read_options=csv.ReadOptions(column_names=["user", "rating", "date"]),
            parse_options=csv.ParseOptions(ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(column_types=TYPES, include_columns=list(TYPES)),
        )
        return table["user"].to_numpy(), table["rating"].to_numpy()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"{name}, up to movie {movie}: a line is not 'user,rating,date' ({error}); the file "
            "is truncated or corrupt, fetch it again"
        ) from error


def _titles(folder: Path) -> pd.DataFrame:
    """Titles and years by movie id, from movie_titles.csv or .txt (titles may hold commas)."""
    path = find_file(folder, "movie_titles.csv") or find_file(folder, "movie_titles.txt")
    if path is None:
        return pd.DataFrame({"title": []})
    ids, years, titles = fields_of(path, ",", 3)
    years = years_of(pd.Series(years, dtype=str))
    index = pd.Index(list(map(int, ids)), name="item_id", dtype=np.int64)
    return pd.DataFrame({"title": titles, "year": years.array}, index=index)
