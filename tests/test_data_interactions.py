"""The binary matrix: the filter's properties, and anyone's own table."""

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celsa_lib as cl
from celsa_lib.data import load_interactions
from celsa_lib.data.interactions import binarise
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.titles import find_title

PAIRS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=120)


def filtered(pairs, minimum):
    """(X, users, items), or None when nothing is left."""
    users, items = np.array(pairs).T
    try:
        return binarise(users, items, minimum)
    except DataError:
        return None


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.integers(1, 5))
def test_filter_keeps_what_it_says(pairs, minimum):
    result = filtered(pairs, minimum)
    counts = pd.Series([u for u, _ in set(pairs)]).value_counts()
    expected = sorted(counts.index[counts >= minimum])
    if result is None:
        assert not expected
        return
    X, users, items = result
    assert users.tolist() == expected
    assert items.tolist() == sorted({i for u, i in pairs if u in expected})
    assert (X.data == 1).all()
    kept = {(users[r], items[c]) for r, c in zip(*X.nonzero(), strict=True)}
    assert kept == {(u, i) for u, i in pairs if u in expected}


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.integers(1, 5), st.randoms(use_true_random=False))
def test_filter_is_idempotent_and_blind_to_order(pairs, minimum, random):
    first = filtered(pairs, minimum)
    shuffled = random.sample(pairs, len(pairs))
    second = filtered(shuffled, minimum)
    if first is None:
        assert second is None
        return
    X, users, items = first
    rows, columns = X.nonzero()
    again = binarise(users[rows], items[columns], minimum)
    for other in (second, again):
        assert (other[0] != X).nnz == 0
        assert np.array_equal(users, other[1])
        assert np.array_equal(items, other[2])


@pytest.fixture
def frame():
    rows = [(f"u{u}", i, 5) for u in (2, 1) for i in (9, 10, 11, 12, 13)]
    return pd.DataFrame([*rows, ("u3", 9, 5)], columns=["who", "what", "stars"])


COLUMNS = {"user": "who", "item": "what"}
ROLES = COLUMNS | {"value": "stars", "min_rating": 4}


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet", None])
def test_user_data_in_every_form(frame, tmp_path, suffix):
    source = frame
    if suffix is not None:
        source = tmp_path / f"mine.{suffix}"
        if suffix == "parquet":
            frame.to_parquet(source)
        else:
            frame.to_csv(source, sep="\t" if suffix == "tsv" else ",", index=False)
    items = pd.DataFrame({"title": ["Nine"]}, index=[9])
    data = load_interactions(source, **ROLES, items=items)
    assert data.user_ids.tolist() == ["u1", "u2"]
    assert data.item_ids.tolist() == [9, 10, 11, 12, 13]
    assert data.items["title"].tolist() == ["Nine", "10", "11", "12", "13"]
    assert (data.X.toarray() == 1).all()


@pytest.mark.parametrize(("column", "index"), [(int, "9"), (str, 9), (float, "9.0")])
def test_titles_are_found_by_ids_of_another_type(frame, column, index):
    items = pd.DataFrame({"title": ["Nine"]}, index=[index])
    data = load_interactions(frame.astype({"what": column}), **ROLES, items=items)
    assert "Nine" in data.items["title"].tolist()
    assert data.items.index.tolist() == data.item_ids.tolist()


@pytest.mark.parametrize(
    ("column", "index", "said"),
    [
        (int, [9, 10, 9], "has the id '9' more than once; keep one row per item"),
        (int, [1, 2, 3], r"no id of the data: its ids begin \['1', '2', '3'\]"),
        (str, ["a", "b", "c"], r"the data's \['9', '10', '11'\]; index it by item id"),
        (int, None, "no column 'what', and its index only counts rows"),
    ],
)
def test_items_that_do_not_fit(frame, column, index, said):
    items = pd.DataFrame({"title": ["A", "B", "C"]}, index=index)
    with pytest.raises(DataError, match=said):
        load_interactions(frame.astype({"what": column}), **ROLES, items=items)


def test_a_repeated_pair_counts_once_with_its_highest_rating(frame):
    low = frame.assign(stars=1)
    both = pd.concat([low, frame, low])
    once = load_interactions(frame, **ROLES)
    repeated = load_interactions(both, **ROLES)
    assert (once.X != repeated.X).nnz == 0


def test_without_ratings_every_row_counts(frame):
    data = load_interactions(frame, user="who", item="what", min_user_interactions=1)
    assert data.X.nnz == len(frame)


def with_cell(frame, column, value):
    changed = frame.astype(object)
    changed.loc[2, column] = value
    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="stars"), "no column 'stars'; its columns are 'who', 'what'"),
        (
            lambda f: with_cell(f, "stars", "good"),
            "data row 3, column 'stars': 'good' is not a number",
        ),
        (lambda f: with_cell(f, "stars", float("nan")), "data row 3, column 'stars': nan"),
        (lambda f: with_cell(f, "who", None), "data row 3, column 'who': no id"),
        (lambda f: f.assign(stars=1), "nothing is left"),
        (lambda f: f.iloc[:0], "nothing is left"),
    ],
)
def test_bad_tables(frame, change, said):
    with pytest.raises(DataError, match=said):
        load_interactions(change(frame), **ROLES)


def test_bad_files(tmp_path, frame):
    with pytest.raises(DataError, match="not a file"):
        load_interactions(tmp_path / "none.csv")
    (tmp_path / "mine.xlsx").write_text("x")
    with pytest.raises(DataError, match="cannot tell its format"):
        load_interactions(tmp_path / "mine.xlsx")
    whole = tmp_path / "mine.parquet"
    frame.to_parquet(whole)
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"mine.parquet is truncated or corrupt"):
        load_interactions(whole, **ROLES)


def test_bad_options(frame):
    with pytest.raises(ConfigError, match="value is None, min_rating 4: name the rating column"):
        load_interactions(frame, **COLUMNS, min_rating=4)
    with pytest.raises(ConfigError, match="min_rating None: name the rating column and"):
        load_interactions(frame, **COLUMNS, value="stars")
    with pytest.raises(ConfigError, match="column 'who' is named for two of user"):
        load_interactions(frame, user="who", item="who")
    with pytest.raises(ConfigError, match="give one character"):
        load_interactions(frame, **COLUMNS, separator="::")
    with pytest.raises(ConfigError, match="unknown encoding 'klingon'"):
        load_interactions(frame, **COLUMNS, encoding="klingon")
    with pytest.raises(ConfigError, match="at least 1"):
        load_interactions(frame, **ROLES, min_user_interactions=0)


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        (["7", "07", "007"], ["007", "07", "7"]),  # three customers, not one
        (["1E2", "100", "100.0"], ["100", "100.0", "1E2"]),
        (["NA", "null", "x"], ["NA", "null", "x"]),
        (["10", "9", "8"], [8, 9, 10]),
        (["9223372036854775813", "1", "2"], ["1", "2", "9223372036854775813"]),
    ],
)
def test_ids_stay_as_they_are_written(tmp_path, ids, kept):
    lines = [f"{user},{item}" for user in ids for item in ("a", "b")]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["customer, product", *lines]))
    data = cl.load_interactions(path, user="customer", item="product", min_user_interactions=1)
    assert sorted(data.user_ids.tolist()) == sorted(kept)
    assert data.X.shape == (3, 2) and data.X.nnz == 6


def test_one_odd_id_far_down_changes_none_of_the_others(tmp_path):
    """pandas guesses types in chunks of a large file."""
    path = tmp_path / "large.csv"
    users = [f"{i % 60_000:05d}" for i in range(300_000)] + ["guest"]
    path.write_text("u,i\n" + "".join(f"{u},{n % 7}\n" for n, u in enumerate(users)))
    data = cl.load_interactions(path, user="u", item="i", min_user_interactions=1)
    assert len(data.user_ids) == 60_001


def test_ids_beyond_64_bits_of_a_frame_are_text():
    frame = pd.DataFrame({"u": np.array([2**63 + 5, 1], np.uint64), "i": [1, 2]})
    data = cl.load_interactions(frame, user="u", item="i", min_user_interactions=1)
    assert set(data.user_ids) == {str(2**63 + 5), "1"}


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs_of(data):
    """(user, item) of every interaction, as text."""
    rows, columns = data.X.nonzero()
    return {
        (str(data.user_ids[r]), str(data.item_ids[c])) for r, c in zip(rows, columns, strict=True)
    }


LINES = "user_id,item_id\nu1,é\nu2,i7\n"


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", LINES, {}),
        ("a.CSV", LINES + "\n\n", {}),
        ("a.csv", "\n" + LINES.replace("\n", "\r\n"), {}),
        ("a.csv", LINES.replace(",", ";"), {}),
        ("a.csv", LINES.replace(",", "\t"), {}),
        ("a.dat", LINES.replace(",", "|"), {}),
        ("a.txt", LINES.replace(",", ":"), {"separator": ":"}),
        ("a.csv", LINES.replace(",", ", "), {}),
        ("a.csv", 'user_id, "item_id"\nu1, "é"\nu2, "i7"\n', {}),
        ("a.csv", LINES.replace("\n", ",".join(["", *"x" * 90_000]) + "\n"), {}),
        ("a.csv", LINES.encode("utf-8-sig"), {}),
        ("a.csv", LINES.encode("utf-8-sig"), {"encoding": "UTF8"}),
        ("a.csv", LINES.encode("utf-16"), {"encoding": "utf-16-le"}),
        ("a.csv", LINES.encode("utf-16-be"), {"encoding": "utf-16-be"}),
        ("a.csv", LINES.encode("utf-16"), {}),
        ("a.csv", LINES.encode("utf-16-le"), {}),
        ("a.csv", LINES.encode("cp1252"), {}),
        ("a.csv", LINES.encode("cp850"), {"encoding": "cp850"}),
        ("a.TSV.GZ", gzip.compress(LINES.replace(",", "\t").encode(), mtime=0), {}),
        ("a.csv", LINES.split("\n", 1)[1], {"header": False, "user": "1", "item": "2"}),
    ],
)
def test_the_usual_dialects_are_recognised(tmp_path, name, content, options):
    data = load_interactions(written(tmp_path / name, content), min_user_interactions=1, **options)
    assert pairs_of(data) == {("u1", "é"), ("u2", "i7")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("user_id,item_id,session\nu1,i9,s3,\n", "line 2: 4 fields .* the first line has 3"),
        ("user_id,item_id\n\nu1,i9\nThe, End,u\n", "line 4: 3 fields .* the first line has 2"),
        ('user_id,item_id\n"u\n1",i9\nu1\n', "line 2: a quotation mark opens a value and none"),
        ('user_id,item_id\nu1,i9\nu2,"12 inch\nu3,i7\n', "line 3: a quotation mark opens"),
        ('user_id,item_id\nu2,"12 inch\nu3,"7 inch"\n', "line 2: a quotation mark opens"),
        ('user_id,item_id\n"u""1","a""\nu3,i7\n', "line 2: a quotation mark opens"),
        ("user_id,item_id,user_id\n1,2,3\n", "has the column 'user_id' twice"),
        ("7,9,5\n7,8,5\n", "begins with '7,9,5', which names no columns: say that there is no"),
        ("user,item\n1,2\n", "no column 'user_id', 'item_id'; its columns are 'user', 'item'"),
        ("", "is empty"),
        ("user_id,item_id\n\n", "no line after the one that names its columns"),
        ("1::1193::5::978300760\n" * 2, "is separated by '::'; write it anew with one character"),
        ("user_id,item_id\nu1,i9\nu1,i\0\n", "line 3 holds a NUL, so it is no text"),
        (
            gzip.compress(b"user_id,item_id\n1,2\n", mtime=0),
            "is a gzip; unpack it, or let its name end in",
        ),
        (b"PK\x03\x04" + b"\0" * 90, "is a zip or a workbook; unpack it, or save its table as"),
        (b"PAR1" + b"\0" * 90, "is Parquet; let its name end in .parquet"),
        ("u" * 200_000 + "\n1\n", "more than 131,072 characters without one of ',', ';', "),
        (b"user_id,item_id\nu1,\x81\n", "is no text in cp1252; name its encoding"),
    ],
)
def test_files_that_are_not_read_as_they_are_meant(tmp_path, content, said):
    with pytest.raises(DataError, match=said):
        load_interactions(written(tmp_path / "mine.csv", content), min_user_interactions=1)


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        (["0000000003", "4"], ["0000000003", "4"]),
        (["5863.0", "9.0"], [9, 5863]),
        (["None", "nan"], ["None", "nan"]),
        (["-0", "1"], ["-0", "1"]),
        (["-3", "1"], [-3, 1]),
    ],
)
def test_ids_of_a_file(tmp_path, ids, kept):
    path = written(tmp_path / "a.csv", "user_id,item_id\n" + "".join(f"{i},x\n" for i in ids))
    assert load_interactions(path, min_user_interactions=1).user_ids.tolist() == kept
    as_text = load_interactions(path, min_user_interactions=1, text_ids=True)
    assert sorted(as_text.user_ids) == sorted(ids)


def test_an_encoding_that_the_bytes_deny(tmp_path):
    path = written(tmp_path / "a.csv", LINES)
    for encoding in ("utf-16", "UTF_16_LE", "utf-32"):
        with pytest.raises(DataError, match=f"no text in {encoding}; leave the encoding out"):
            load_interactions(path, encoding=encoding)


@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_a_gzip_that_holds_far_more_than_its_size(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr("celsa_lib.files.MOST_UNPACKED", 2**21)
    path = written(tmp_path / "a.csv.gz", gzip.compress(LINES.encode() + b"u,i\n" * 2**20))
    with pytest.raises(DataError, match="a.csv.gz holds far more than its .* unpack it"):
        load_interactions(path, encoding=encoding)


def test_quotation_marks_that_are_closed_or_stand_within_a_value(tmp_path):
    text = 'user_id,item_id\nu1,"12"" record"\n"u,2",7" record\nu3,"a"b\n'
    data = load_interactions(written(tmp_path / "a.csv", text), min_user_interactions=1)
    assert pairs_of(data) == {("u1", '12" record'), ("u,2", '7" record'), ("u3", "ab")}


def test_titles_may_hold_line_breaks_that_are_closed(tmp_path, frame):
    whole = 'what,title\n9,"Nine\n""or"" so\n, on"\n10,"Ten"\n'
    items = written(tmp_path / "items.csv", whole)
    data = load_interactions(frame, **ROLES, items=items)
    assert data.items["title"].tolist()[:2] == ['Nine\n"or" so\n, on', "Ten"]
    for torn in ('9,"Nine\n10,"Ten"\n', '9,Nine\n10,"Ten\n'):
        written(items, "what,title\n" + torn)
        line = 2 + torn.startswith("9,N")
        with pytest.raises(DataError, match=f"line {line}: a quotation mark opens"):
            load_interactions(frame, **ROLES, items=items)


def test_titles_of_a_file_stay_as_they_are_written(tmp_path, frame):
    for titles in (
        ["007", "0.50"],
        ["1984", "300"],
        ["2001-01-01", "2012-12-12"],
        ["true", "false"],
    ):
        rows = "".join(f"{i},{title},x\n" for i, title in zip((9, 10), titles, strict=True))
        items = written(tmp_path / "items.csv", "what,title,other\n" + rows)
        data = load_interactions(frame, **ROLES, items=items)
        assert data.items["title"].tolist()[:2] == titles
        assert find_title(data, titles[0]) == 0


def test_titles_of_a_table_are_found_as_text(frame):
    items = pd.DataFrame({"title": [1984, 300]}, index=[9, 10])
    data = load_interactions(frame, **ROLES, items=items)
    assert data.items["title"].tolist() == ["1984", "300", "11", "12", "13"]
    built = replace(data, items=pd.DataFrame({"title": [1984, 1, 2, 3, None]}, data.item_ids))
    assert [find_title(built, text) for text in ("1984", "13")] == [0, 4]


@pytest.mark.parametrize(
    ("content", "options", "titles"),
    [
        ("user_id:item_id\n1:2\n", {"separator": ":"}, "item_id,title\n2,Zwölf: 12\n"),
        ("user_id:item_id\n1:2\n", {"separator": ":"}, "item_id:title\n2:Zwölf\n"),
        ("1;2\n", {"header": False, "user": "1", "item": "2"}, "2\ttitle\n2\tZwölf\n"),
        ("user_id,item_id\n1,2\n", {"encoding": "cp850"}, "item_id,title\n2,Zwölf\n"),
        (
            "user_id,item_id\n1,2\n",
            {"encoding": "cp850"},
            "item_id,title\n2,Zwölf\n".encode("cp850"),
        ),
    ],
)
def test_a_file_of_items_has_its_own_layout(tmp_path, content, options, titles):
    path, items = written(tmp_path / "a.csv", content), written(tmp_path / "items.csv", titles)
    data = load_interactions(path, min_user_interactions=1, items=items, **options)
    assert data.items["title"].tolist()[0].startswith("Zwölf")


def test_a_file_of_items_without_the_column_is_refused(tmp_path):
    path = written(tmp_path / "a.csv", "1;2\n")
    items = written(tmp_path / "items.csv", "id,title\n2,Two\n")
    said = "items.csv has no column '2'; its columns are 'id', 'title'. Its first line must name"
    with pytest.raises(DataError, match=said):
        load_interactions(path, "1", "2", min_user_interactions=1, items=items, header=False)


def test_ids_of_text_find_their_titles_in_a_file(tmp_path):
    path = written(tmp_path / "a.csv", "user_id,item_id\n1,003\n1,3\n")
    items = written(tmp_path / "items.csv", 'title;item_id\n"Old; new";003\n')
    data = load_interactions(path, min_user_interactions=1, items=items)
    assert data.items["title"].to_dict() == {"003": "Old; new", "3": "3"}


def test_an_items_table_says_which_column_holds_its_ids(frame):
    items = pd.DataFrame({"title": ["Nine", "Ten"], "what": [9, 10]})
    data = load_interactions(frame, **ROLES, items=items)
    assert data.items["title"].tolist()[:2] == ["Nine", "Ten"]


@pytest.mark.parametrize(
    "convert",
    [
        pa.Table.from_pandas,
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
        lambda frame: frame.astype("category"),
        lambda frame: frame.astype({"what": float}),
    ],
)
def test_tables_of_other_kinds_are_the_same_data(frame, convert):
    plain, other = (load_interactions(table, **COLUMNS) for table in (frame, convert(frame)))
    assert (plain.X != other.X).nnz == 0
    assert plain.item_ids.tolist() == other.item_ids.tolist()
    assert plain.user_ids.tolist() == other.user_ids.tolist()


@pytest.mark.parametrize("column", ["who", "title"])
def test_half_a_character_is_refused(frame, column):
    """As Python keeps a byte that it cannot decode; a table of Arrow cannot have it."""
    frame = frame.assign(title="a").astype(object)
    items = frame.drop_duplicates("what")[["what", "title"]]
    changed = items if column == "title" else frame
    changed.loc[changed.index[1], column] = "x\ud800"
    with pytest.raises(DataError, match=rf"column '{column}', row 1: 'x\\ud800'; read it again"):
        load_interactions(frame, items=items, **COLUMNS)


@pytest.mark.parametrize("source", [{"user_id": [1]}, [1, 2], None, 3, np.eye(3)])
def test_what_is_no_table_is_refused(source):
    with pytest.raises(DataError, match="give a DataFrame of pandas or Polars, an Arrow table"):
        load_interactions(source)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.Timestamp("2020-01-01"), "has datetime64.*, not ratings"),
        (True, "has bool, not ratings"),
        (pd.Timedelta(5, "s"), "has timedelta64.*, not ratings"),
        (pd.Period("2020"), "has period.*, not ratings"),
        (881250949, "every value is above 1,000,000, the first 881250949; these look like times"),
        ("2020-01-01", "'2020-01-01' is not a number"),
    ],
)
def test_what_is_no_rating_is_refused(frame, values, said):
    with pytest.raises(DataError, match=said):
        load_interactions(frame.assign(stars=values), **ROLES)


def rated(ratings):
    """As many interactions, of ten users, with these ratings."""
    rows = np.arange(len(ratings))
    return pd.DataFrame({"who": rows % 10, "what": rows // 10, "stars": ratings})


@pytest.mark.parametrize(
    "ratings", [np.arange(100), 7 + 3 * np.arange(100)[::-1], 90 * np.arange(10_000)]
)
def test_ids_are_no_ratings(ratings):
    with pytest.raises(DataError, match="'stars': no two of 10.* are alike; these look like ids"):
        load_interactions(rated(ratings), **ROLES)


@pytest.mark.parametrize(
    "ratings",
    [
        np.arange(99),
        np.arange(200) / 2,
        1 + np.arange(10_000) % 5,
        1 + np.arange(101) % 100,
        np.random.default_rng(0).permutation(900_000)[:500],  # seconds of plays, all different
        np.random.default_rng(0).integers(0, 900_000, 10_000),
    ],
)
def test_numbers_that_may_rate_are_taken(ratings):
    data = load_interactions(rated(ratings), **ROLES | {"min_rating": 0})
    assert data.X.nnz == len(ratings)


@pytest.mark.parametrize("given", [{"value": "what", "min_rating": 4}, {"time": "who"}])
def test_a_column_has_one_role(frame, given):
    with pytest.raises(ConfigError, match="is named for two of user, item, value and time"):
        load_interactions(frame, **COLUMNS, **given)


@pytest.mark.parametrize("column", ["who", "what"])
def test_ids_that_are_the_same_when_written_are_refused(frame, column):
    mixed = frame.assign(**{column: [1, "1", 2, "u", "v"] * 2 + ["w"]})
    with pytest.raises(DataError, match=f"column '{column}' has 1 and '1', which are the same"):
        load_interactions(mixed, **ROLES)


def test_columns_that_are_called_by_numbers(frame):
    numbered = frame.set_axis([0, 1, 2], axis=1)
    items = pd.DataFrame({1: [9], "title": ["Nine"]})
    for user, item, value in ((0, 1, 2), ("0", "1", "2")):
        data = load_interactions(numbered, user, item, value, min_rating=4, items=items)
        assert data.X.nnz == 10 and data.items["title"].tolist()[0] == "Nine"


def test_a_column_that_is_there_twice_is_refused(frame):
    twice = pd.concat([frame, frame[["who"]]], axis=1)
    with pytest.raises(DataError, match="the table has the column 'who' twice"):
        load_interactions(twice, **ROLES)


def test_what_was_read_is_logged(frame, caplog):
    with caplog.at_level("INFO"):
        load_interactions(frame, **ROLES)
    expected = "the table: 2 users, 5 items, 10 interactions; columns 'who', 'what', 'stars'"
    assert expected in caplog.messages


def test_text_ids_stay_as_they_are_written(tmp_path):
    """Those of items too; as numbers 1.0 is 1."""
    (tmp_path / "mine.csv").write_text("user_id,item_id\n1.0,7.0\n1.0,8.0\n")
    (tmp_path / "items.csv").write_text("item_id,title\n7.0,Seven\n8.0,Eight\n")
    options = {"min_user_interactions": 1, "items": tmp_path / "items.csv"}
    found = cl.load_interactions(tmp_path / "mine.csv", text_ids=True, **options)
    assert found.user_ids.tolist() == ["1.0"] and found.item_ids.tolist() == ["7.0", "8.0"]
    assert found.items["title"].tolist() == ["Seven", "Eight"]
    found = cl.load_interactions(tmp_path / "mine.csv", **options)
    assert found.item_ids.tolist() == [7, 8] and found.items["title"].iloc[0] == "Seven"


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_a_table_of_another_package_is_a_table(package):
    """Ids, ratings and times as pandas has them, in Polars and in Arrow."""
    module = pytest.importorskip(package)
    columns = {"user_id": ["a", "a", "b"], "item_id": [10, 11, 10], "stars": [5.0, 4.0, 2.0]}
    columns["at"] = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"])
    frame = pd.DataFrame(columns)
    table = module.from_pandas(frame) if package == "polars" else module.table(frame)
    options = {"value": "stars", "min_rating": 3, "min_user_interactions": 1, "time": "at"}
    found, wanted = (cl.load_interactions(one, **options) for one in (table, frame))
    assert found.X.toarray().tolist() == wanted.X.toarray().tolist() == [[1, 1]]
    assert found.item_ids.tolist() == [10, 11] and found.user_ids.tolist() == ["a"]
    assert (found.times == wanted.times).all()
