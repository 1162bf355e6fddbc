"""Small files that hold or claim much, and long texts: refused, or cut, in bounded time."""

import gzip
import io
import json
import timeit
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.data.genres import SERIES_IN_TITLE
from celsa_lib.errors import DataError, StorageError
from celsa_lib.segments.naming.terms import terms_of

ROWS = csr_matrix(np.eye(6, 4, dtype=np.float32) + 0.1)


def write_gzip(path, block: bytes, times: int):
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(b"user,item\n")
        for _ in range(times):
            file.write(block)
    return path


@pytest.mark.parametrize("line", [b"1,2\n", b"a"])
def test_a_small_gzip_that_holds_much_is_refused(line, tmp_path):
    path = write_gzip(tmp_path / "mine.csv.gz", line * (2**20 // len(line)), 300)
    with pytest.raises(DataError, match=r"mine.csv.gz .* are no data"):
        cl.load_interactions(path, user="user", item="item")


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
def test_a_first_line_without_end_is_refused(name, tmp_path):
    path = tmp_path / name
    content = b"user,item" + b",x" * 10**6 + b"\n1,2\n"
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    with pytest.raises(DataError, match="first line of 1,048,576 bytes and more"):
        cl.load_interactions(path, user="user", item="item")


def archive_of(path, members: dict[str, bytes]):
    header = {"format": "celsa-item-embeddings", "version": 3, "shape": [1, 1], "about": {}}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        members = members | {"header": as_npy(np.array(json.dumps(header)))}
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def as_npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_an_archive_that_claims_or_holds_much_is_refused_at_once(tmp_path):
    claim = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(claim, shape)
    for content in (claim.getvalue(), as_npy(np.zeros(2**27, np.float32))):
        path = archive_of(tmp_path / "rows.npz", {"data": content})
        with pytest.raises(StorageError, match=r"rows.npz is not a file of item embeddings"):
            cl.ItemEmbeddings.load(path)


def test_a_title_of_a_million_letters_pads_no_array(tmp_path):
    items = pd.DataFrame({"title": ["x" * 10**6, *"abcde"]})
    found = cl.segment_items(cl.ItemEmbeddings(ROWS), items, embed=lambda names: np.eye(len(names)))
    assert found.titles.nbytes < 10**5 and max(len(label.text) for label in found.labels) <= 1000
    again = cl.Segmentation.load(found.save(tmp_path / "s.npz"), cl.ItemEmbeddings(ROWS))
    assert (again.titles == found.titles).all()


@pytest.mark.parametrize(
    "pieces", [("(", " ", ""), ("(a", " ", "#x"), ("", "(a#", ""), ("(a#)", " ", "x")]
)
def test_the_search_of_a_long_title_grows_with_its_length(pieces):
    """Twenty times as long takes about twenty times as long; backtracking would take 400 times."""

    def seconds(repeats: int) -> float:
        title = pieces[0] + pieces[1] * repeats + pieces[2]
        return min(timeit.repeat(lambda: SERIES_IN_TITLE.search(title), number=1, repeat=9))

    assert seconds(40_000) < 100 * seconds(2_000)


@pytest.mark.parametrize("title", ["Book (Long Saga, #1)", "Book (Long Saga #1-3)  "])
def test_the_series_is_found(title):
    assert "Long Saga" in str(terms_of(pd.DataFrame({"title": [title]})))
