"""Readers on small files in each original format, and what they say about bad ones."""

import gzip
import tarfile

import numpy as np
import pandas as pd
import pytest

from celsa_lib.data import dataset_info, load_dataset
from celsa_lib.errors import DataError, DatasetNotFoundError

# (user, item, rating): users 1 and 10 keep five items each, user 2 too few.
RATINGS = [(u, i, 4 + i % 2) for u in (10, 1) for i in (30, 4, 5, 6, 7)]
RATINGS += [(1, 8, 3), (10, 9, 2), (2, 4, 5), (2, 30, 5)]
ITEMS = [4, 5, 6, 7, 30]


@pytest.fixture
def folder_of(tmp_path, monkeypatch):
    """Write files of a dataset into a CELSA_DATA folder; no network, an empty cache."""
    monkeypatch.setenv("CELSA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CELSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CELSA_OFFLINE", "1")

    def write(dataset, **files):
        folder = tmp_path / "data" / dataset
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name.replace("__", ".").replace("ml_100k", "ml-100k")
            path.parent.mkdir(exist_ok=True)
            content = text if isinstance(text, bytes) else text.encode("latin-1")
            path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return folder

    return write


def lines(separator, rows=RATINGS, tail=(), header=""):
    return header + "".join(separator.join(map(str, (*row, *tail))) + "\n" for row in rows)


def csv_in_order(order, rows=RATINGS):
    names = ("user_id", "book_id", "rating")
    body = [tuple(row[names.index(name)] for name in order) for row in rows]
    return lines(",", body, header=",".join(order) + "\n")


def u_item(rows):
    flags = ["0"] * 19
    flags[1] = flags[5] = "1"
    return "".join(f"{i}|{title}|01-Jan-1995||url|{'|'.join(flags)}\n" for i, title in rows)


BOOKS = "book_id,goodreads_book_id,authors,original_publication_year,title\n" + "".join(
    f'{i},{i * 100},"A. Writer, B. Writer",{1900 + i}.0,"Book, {i}"\n'
    for i in (4, 5, 6, 7, 8, 9, 30)
)


def expect(data):
    assert data.user_ids.tolist() == [1, 10]
    assert data.item_ids.tolist() == ITEMS
    assert data.X.dtype == np.float32
    assert (data.X.toarray() == 1).all()
    assert len(data.checksum) == 64
    assert data.source


def test_ml100k_in_both_forms(folder_of):
    titles = [(i, f"Movie {i} (1995)") for i in range(3, 31)]
    titles[0] = (3, "Café (1995) (V)")
    folder = folder_of("ml-100k", u__data=lines("\t", tail=(881250949,)), u__item=u_item(titles))
    original = load_dataset("ml-100k")
    for file in folder.iterdir():
        file.unlink()
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    items = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    items += "".join(f"{i}\tMovie {i}\t1995\tAction Comedy\n" for i in range(3, 31))
    folder_of(
        "ml-100k",
        ml_100k__inter=lines("\t", tail=(881250949,), header=header),
        ml_100k__item=items,
    )
    other = load_dataset("ml-100k")
    expect(original)
    assert (original.X != other.X).nnz == 0
    pd.testing.assert_frame_equal(original.items, other.items)
    assert original.items["year"].dtype == "Int64"
    assert other.items.loc[30].tolist() == ["Movie 30", 1995, "Action|Comedy"]


def test_ml1m(folder_of):
    movies = "".join(f"{i}::Amélie: Part {i} (2001)::Comedy|Romance\n" for i in ITEMS)
    folder_of("ml-1m", ratings__dat=lines("::", tail=(978300760,)), movies__dat=movies)
    data = load_dataset("ml-1m")
    expect(data)
    assert data.items.loc[4].tolist() == ["Amélie: Part 4", 2001, "Comedy|Romance"]


def test_ml20m(folder_of):
    ratings = lines(
        ",", [*RATINGS, (1, 99, 3.5)], (1112486027,), "userId,movieId,rating,timestamp\n"
    )
    movies = 'movieId,title,genres\n4,"Film, The (1999)",Drama\n5,No Year,(no genres listed)\n'
    folder_of("ml-20m", ratings__csv=ratings, movies__csv=movies)
    data = load_dataset("ml-20m")
    expect(data)
    assert data.items.loc[4].tolist() == ["Film, The", 1999, "Drama"]
    assert data.items.loc[5, "genres"] == ""
    assert data.items.loc[30, "title"] == "30"


@pytest.mark.parametrize(
    "order", [("user_id", "book_id", "rating"), ("book_id", "user_id", "rating")]
)
def test_goodbooks_columns_in_any_order(folder_of, order):
    genres = 'book_id,genres\n4,"fantasy,classics"\n'
    files = {"ratings__csv__gz": csv_in_order(order), "books__csv__gz": BOOKS}
    folder_of("goodbooks-10k-v1", **files, book_genres__csv__gz=genres)
    data = load_dataset("goodbooks-10k-v1")
    expect(data)
    assert data.items.loc[4].tolist() == [
        "Book, 4",
        "A. Writer, B. Writer",
        1904,
        "fantasy|classics",
    ]


def test_goodbooks_partial_borrows_metadata_from_its_neighbour(folder_of):
    text = csv_in_order(("user_id", "book_id", "rating"))
    folder_of("goodbooks-10k-partial", ratings__csv=text)
    assert load_dataset("goodbooks-10k-partial").items.loc[4, "title"] == "4"
    folder_of("goodbooks-10k-v1", ratings__csv=text, books__csv=BOOKS)
    assert load_dataset("goodbooks-10k-partial").items.loc[4, "title"] == "Book, 4"


def test_goodbooks_genres_from_tags(folder_of):
    folder_of(
        "goodbooks-10k",
        ratings__csv=csv_in_order(("user_id", "book_id", "rating")),
        books__csv=BOOKS,
        tags__csv="tag_id,tag_name\n1,to-read\n2,fantasy\n3,classics\n",
        book_tags__csv="goodreads_book_id,tag_id,count\n400,1,99\n400,3,5\n400,2,50\n",
    )
    data = load_dataset("goodbooks-10k")
    expect(data)
    assert data.items.loc[4, "genres"] == "fantasy|classics"


def netflix_text(item):
    rows = [f"{u},{r},2005-09-06\n" for u, i, r in RATINGS if i == item]
    return f"{item}:\n" + "".join(rows)


NETFLIX_ITEMS = (4, 5, 6, 7, 8, 9, 30)
TITLES = "4,2003,Dinosaur Planet\n5,NULL,Crouching Tiger, Hidden Dragon\n"


def write_netflix(folder_of, form):
    folder = folder_of("netflix-prize", movie_titles__csv=TITLES)
    if form == "combined":
        for part in range(4):
            text = "".join(map(netflix_text, NETFLIX_ITEMS[2 * part : 2 * part + 2]))
            (folder / f"combined_data_{part + 1}.txt").write_text(text)
        return folder
    training = folder / "training_set"
    training.mkdir()
    for item in NETFLIX_ITEMS:
        (training / f"mv_{item:07d}.txt").write_text(netflix_text(item).rstrip("\n"))
    if form == "tar":
        with tarfile.open(folder / "training_set.tar", "w") as archive:
            archive.add(training, "training_set")
        for file in training.iterdir():
            file.unlink()
        training.rmdir()
    return folder


@pytest.mark.parametrize("block", [1 << 25, 16])
@pytest.mark.parametrize("form", ["combined", "folder", "tar"])
def test_netflix(folder_of, form, block, monkeypatch):
    monkeypatch.setattr("celsa_lib.data.netflix.BLOCK_BYTES", block)
    write_netflix(folder_of, form)
    data = load_dataset("netflix-prize")
    expect(data)
    assert data.items.loc[5, "title"] == "Crouching Tiger, Hidden Dragon"
    assert data.items.loc[4, "year"] == 2003


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("7:\n1,nine,2005-09-06\n", "not 'user,rating,date'"),
        ("7:\n1,9,2005-09-06\n", "movie 7, user 1: rating 9 is outside 1 to 5"),
        ("1,4,2005-09-06\n7:\n", "before any movie header"),
        ("seven:\n1,4,2005-09-06\n", "no movie header"),
        ("7:\n1,4,2005-09-06\n12", "truncated"),
    ],
)
def test_netflix_bad_lines(folder_of, text, said):
    folder = write_netflix(folder_of, "combined")
    (folder / "combined_data_2.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        load_dataset("netflix-prize")


def test_netflix_truncated_tar(folder_of):
    folder = write_netflix(folder_of, "tar")
    whole = (folder / "training_set.tar").read_bytes()
    (folder / "training_set.tar").write_bytes(whole[:2100])
    with pytest.raises(DataError, match="truncated or corrupt"):
        load_dataset("netflix-prize")


@pytest.mark.parametrize(
    ("ratings", "said"),
    [
        ("user_id,book,rating\n1,2,4\n", "no column 'book_id'; its columns are 'user_id', 'book'"),
        ("user_id,book_id,rating\n1,2,4\n1,3,good\n", "line 3, column 'rating': 'good'"),
        ("user_id,book_id,rating\nu7,2,4\n", "line 2, column 'user_id': 'u7'"),
        ("user_id,book_id,rating\n1e999,2,4\n", "line 2, column 'user_id': '1e999' is not a num"),
        ("user_id,book_id,rating\n1,2,4\n1,3,6\n", "line 3: rating 6 is outside 1 to 5"),
        ("user_id,book_id,rating\n1,2,4\n1,3,\n", "line 3: rating nan"),
        ("user_id,book_id,rating\n1,2,4\n", "no user has 5"),
        ("user_id,book_id,rating\n1,2,1\n", "nothing is left"),
        ("user_id,book_id,rating\n", "nothing is left"),
        ("", "truncated or corrupt"),
    ],
)
@pytest.mark.filterwarnings("error")  # pandas' own attempts are no news
def test_bad_ratings(folder_of, ratings, said):
    folder_of("goodbooks-10k-partial", ratings__csv=ratings)
    with pytest.raises(DataError, match=said):
        load_dataset("goodbooks-10k-partial")


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no gzip" + b])
def test_damaged_gzip(folder_of, damage):
    folder = folder_of("goodbooks-10k-partial")
    whole = gzip.compress(csv_in_order(("user_id", "book_id", "rating"), RATINGS * 500).encode())
    (folder / "ratings.csv.gz").write_bytes(damage(whole))
    with pytest.raises(DataError, match=r"ratings.csv.gz (is truncated or corrupt|cannot be read)"):
        load_dataset("goodbooks-10k-partial")


INTER = "user_id:token\titem_id:token\trating:float\n"
RECBOLE = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
TITLED = {
    "movies.dat": ("ml-1m", "4::A::Drama\n5::B::Drama\n"),
    "u.item": ("ml-100k", u_item([(4, "A"), (5, "B")])),
    "ml-100k.item": ("ml-100k", RECBOLE + "4\tA\t1995\tDrama\n5\tB\t1995\tDrama\n"),
    "movie_titles.csv": ("netflix-prize", "4,2003,A\n5,NULL,B\n"),
}


@pytest.fixture(params=TITLED)
def titled(request, folder_of):
    """(text, load): the text of a file of titles, a function that loads with another text."""
    dataset, text = TITLED[request.param]
    write_netflix(folder_of, "combined")
    folder_of("ml-1m", ratings__dat=lines("::", tail=(0,)))
    folder = folder_of("ml-100k", ml_100k__inter=lines("\t", header=INTER))
    if request.param == "u.item":
        (folder / "u.data").write_text(lines("\t", tail=(0,)))

    def load(text):
        (folder.parent / dataset / request.param).write_text(text)
        return load_dataset(dataset)

    return text, load


@pytest.mark.parametrize("rest", ["5", "five::::" + "\t|," * 30], ids=["short", "no id"])
def test_a_damaged_line_of_titles_is_named(titled, rest):
    text, load = titled
    whole = text[: text.index("\n5") + 1]
    with pytest.raises(DataError, match=rf", line {whole.count(chr(10)) + 1}: expected \d+ fields"):
        load(whole + rest)


def test_blank_lines_of_titles_do_not_count(titled):
    text, load = titled
    assert load(text + "\n \n").items.loc[5, "title"] == "B"


def test_missing_files_are_named(folder_of):
    folder_of("ml-1m", ratings__dat="")
    with pytest.raises(DatasetNotFoundError, match=r"movies.dat, and has ratings.dat"):
        load_dataset("ml-1m")


def test_a_file_that_may_not_be_read(folder_of, monkeypatch):
    """Tests may run as root, whom no mode stops: let the opening itself refuse."""
    folder_of("goodbooks-10k-partial", ratings__csv="user_id,book_id,rating\n")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("celsa_lib.data.formats.pd.read_csv", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        load_dataset("goodbooks-10k-partial")


def test_real_partial_goodbooks(real_data):
    """The whole published part: every rating counted, then the protocol's filter."""
    path = real_data / "goodbooks-10k-partial"
    if not path.is_dir():
        pytest.skip("no goodbooks-10k-partial in CELSA_DATA")
    everything = load_dataset("goodbooks-10k-partial", min_rating=1, min_user_interactions=1)
    info = dataset_info("goodbooks-10k-partial")
    assert everything.X.nnz == info.ratings == 1_307_840
    assert everything.X.shape == (info.users, info.items)
    data = load_dataset("goodbooks-10k-partial")
    assert data.X.shape[1] == 10_000
    assert data.X.getnnz(1).min() >= 5
    assert data.items["title"].notna().all()
