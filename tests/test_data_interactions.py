"""The binary matrix: the filter's properties, and anyone's own table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celsa_lib as cl
from celsa_lib.data import load_interactions
from celsa_lib.data.interactions import binarise
from celsa_lib.errors import ConfigError, DataError

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


ROLES = {"user": "who", "item": "what", "value": "stars"}


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
    data = load_interactions(source, **ROLES, min_rating=4, items=items)
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
        (int, [1, 2, 3], r"no id of the data: its index begins \['1', '2', '3'\]"),
        (float, [9, 10, 11], r"the data's ids \['10.0', '11.0', '12.0'\]; index it by item id"),
    ],
)
def test_items_that_do_not_fit(frame, column, index, said):
    items = pd.DataFrame({"title": ["A", "B", "C"]}, index=index)
    with pytest.raises(DataError, match=said):
        load_interactions(frame.astype({"what": column}), **ROLES, items=items)


def test_a_repeated_pair_counts_once_with_its_highest_rating(frame):
    low = frame.assign(stars=1)
    both = pd.concat([low, frame, low])
    once = load_interactions(frame, **ROLES, min_rating=4)
    repeated = load_interactions(both, **ROLES, min_rating=4)
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
        load_interactions(change(frame), **ROLES, min_rating=4)


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
    with pytest.raises(ConfigError, match="value="):
        load_interactions(frame, user="who", item="what", min_rating=4)
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
