"""Folders of Parquet in a stream: what one table gives, with ids mapped and the matrix on disk."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celsa_lib as cl
from celsa_lib.data import folders, load_interactions, streams
from celsa_lib.errors import ConfigError, DataError, StorageError

IDS = {
    "numbers": lambda codes: codes * 7 - 3,
    "text": lambda codes: np.char.add("id ", codes.astype(str)),
    "digits as text": lambda codes: codes.astype(str),
}


def ratings(n_rows=2000, n_users=60, n_items=40, seed=0, ids=IDS["numbers"]) -> pd.DataFrame:
    """Rows in any order, some pairs more than once."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": ids(rng.integers(0, n_users, n_rows)),
            "item_id": ids((rng.integers(0, n_items**2, n_rows) ** 0.5).astype(int)),
            "stars": rng.integers(1, 6, n_rows).astype(float),
            "year": rng.integers(2019, 2022, n_rows),
        }
    )


def folder_of(frame: pd.DataFrame, path):
    """`frame` by year, as hive partitions, in files of several row groups."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    parquet.write_to_dataset(table, path, partition_cols=["year"], row_group_size=100)
    return path


def assert_same(one: cl.Dataset, other: cl.Dataset) -> None:
    assert one.X.shape == other.X.shape and (one.X != other.X).nnz == 0
    assert one.X.has_canonical_format and (one.X.data == 1).all() and one.X.dtype == np.float32
    assert np.array_equal(one.user_ids, other.user_ids)
    assert np.array_equal(one.item_ids, other.item_ids)
    assert one.item_ids.dtype == other.item_ids.dtype


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("kind", IDS)
def test_a_folder_is_read_as_one_table_is(tmp_path, monkeypatch, kind, on_disk):
    for module in (streams, folders):
        monkeypatch.setattr(module, "STREAMED_ROWS", 64)
    frame = ratings(ids=IDS[kind])
    folder = folder_of(frame, tmp_path / "data")
    options = {"value": "stars", "min_rating": 4, "min_user_interactions": 8}
    store = tmp_path / "kept" / "store" if on_disk else None
    found = load_interactions(folder, **options, store=store)
    assert_same(found, load_interactions(frame, **options))
    assert found.name == "data"
    if on_disk:
        assert isinstance(found.X.indices.base, np.memmap) or found.X.indices.base is not None
        assert_same(load_interactions(folder, **options, store=store), found)
        assert not list(store.parent.glob(".celsa-*"))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1), st.integers(1, 4))
def test_what_is_left_is_what_one_table_leaves(tmp_path_factory, pairs, least):
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    folder = tmp_path_factory.mktemp("data")
    frame.to_parquet(folder / "a.parquet")
    try:
        expected = load_interactions(frame, min_user_interactions=least)
    except DataError as error:
        with pytest.raises(DataError, match="nothing is left"):
            load_interactions(folder, min_user_interactions=least)
        assert "nothing is left" in str(error)
        return
    assert_same(load_interactions(folder, min_user_interactions=least), expected)


def test_a_column_may_be_the_name_of_a_partition(tmp_path):
    frame = ratings()
    folder = folder_of(frame, tmp_path / "data")
    options = {"item": "year", "min_user_interactions": 2}
    assert_same(load_interactions(folder, **options), load_interactions(frame, **options))


def test_a_model_learns_from_what_is_mapped(tmp_path):
    frame = ratings()
    folder = folder_of(frame, tmp_path / "data")
    options = {"nnz": 3, "recipe": "recommended", "epochs": 1, "progress": False}
    fitted = [
        cl.CompressedELSA(**options).fit(load_interactions(folder, store=store).X)
        for store in (None, tmp_path / "store")
    ]
    one, other = (model.item_embeddings.matrix for model in fitted)
    assert np.array_equal(one.data, other.data) and np.array_equal(one.indices, other.indices)


def test_a_store_of_something_else_is_refused(tmp_path):
    folder, store = folder_of(ratings(), tmp_path / "data"), tmp_path / "store"
    load_interactions(folder, store=store)
    with pytest.raises(StorageError, match="read with other options"):
        load_interactions(folder, min_user_interactions=9, store=store)
    with pytest.raises(StorageError, match="keeps no interactions"):
        load_interactions(folder, store=tmp_path / "data")


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="without Parquet files"):
        load_interactions(tmp_path)
    folder = folder_of(ratings(), tmp_path / "data")
    with pytest.raises(DataError, match="no column 'who'"):
        load_interactions(folder, user="who")
    with pytest.raises(ConfigError, match="give one"):
        load_interactions(ratings(), store=tmp_path / "store")
    (tmp_path / "data/a.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match="truncated or corrupt"):
        load_interactions(folder, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


KEPT_FILES = ["data.npy", "indices.npy", "indptr.npy", "ids_of_users.parquet", "about.json"]


@pytest.mark.parametrize("name", KEPT_FILES)
@pytest.mark.parametrize("damage", ["a bit", "a byte less", "gone"])
def test_a_store_is_read_as_it_was_written_or_not_at_all(tmp_path, name, damage):
    folder, store = folder_of(ratings(), tmp_path / "data"), tmp_path / "store"
    load_interactions(folder, store=store)
    content = bytearray((store / name).read_bytes())
    if damage == "gone":
        (store / name).unlink()
    else:
        content[len(content) // 2] ^= 1
        (store / name).write_bytes(content if damage == "a bit" else content[:-1])
    with pytest.raises(StorageError, match="delete this one"):
        load_interactions(folder, store=store)


ROWS = {"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "stars": [5, 4, 3]}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"user_id": [1, None, 2]}, r"b.parquet, data row 2, column 'user_id': no id"),
        ({"item_id": ["a", "b", ""]}, r"b.parquet, data row 3, column 'item_id': no id"),
        ({"user_id": ["1", "1", "2"]}, "'user_id' holds whole numbers in .*a.parquet and text in "
                                       ".*b.parquet"),
        ({"item_id": [1, 2, 3]}, "'item_id' holds text in .*a.parquet and whole numbers in"),
        ({"item_id": None}, "b.parquet has no column 'item_id'"),
        ({"stars": [5, 4, None]}, "b.parquet, data row 3, column 'stars'"),
    ],
    ids=["missing id", "empty id", "text", "numbers", "missing column", "missing rating"],
)  # fmt: skip
def test_the_file_and_the_row_at_fault_are_named(tmp_path, monkeypatch, other, said):
    monkeypatch.setattr(folders, "STREAMED_ROWS", 2)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    changed = {name: column for name, column in (ROWS | other).items() if column is not None}
    frame = pd.DataFrame(changed)
    if "user_id" in other and other["user_id"][1] is None:
        frame["user_id"] = frame["user_id"].astype("Int64")
    frame.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=said):
        load_interactions(tmp_path, value="stars", min_rating=1, min_user_interactions=1)


TIMES = {
    "dates": lambda n: pd.to_datetime("2024-01-01") + pd.to_timedelta(n, "D"),
    "text": lambda n: (pd.to_datetime("2024-01-01") + pd.to_timedelta(n, "D")).astype(str),
    "Unix times": lambda n: 1_700_000_000 + 86_400 * n,
    "days": lambda n: n / 2,
}


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("kind", TIMES)
def test_times_of_a_folder_are_those_of_one_table(tmp_path, monkeypatch, kind, on_disk):
    for module in (streams, folders):
        monkeypatch.setattr(module, "STREAMED_ROWS", 64)
    frame = ratings(600)
    frame["at"] = TIMES[kind](np.random.default_rng(1).integers(0, 400, len(frame)))
    folder = folder_of(frame, tmp_path / "data")
    options = {"value": "stars", "min_rating": 3, "time": "at"}
    wanted = load_interactions(frame, **options)
    for _ in range(2):  # the second reads what the first has kept
        found = load_interactions(folder, store=tmp_path / "s" if on_disk else None, **options)
        assert_same(found, wanted)
        assert found.times.dtype == wanted.times.dtype and (found.times == wanted.times).all()
    split = cl.split_by_time(found.X, found.times, n_test=5)
    assert split.train_times.max() < split.test_from


def test_a_time_that_is_none_is_named_with_its_file(tmp_path):
    pd.DataFrame(ROWS | {"at": ["2024-01-01"] * 3}).to_parquet(tmp_path / "a.parquet")
    other = ["2024-01-01", "soon", "2024-01-02"]
    pd.DataFrame(ROWS | {"at": other}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="b.parquet, data row 2, column 'at': 'soon' is no time"):
        load_interactions(tmp_path, min_user_interactions=1, time="at")
    pd.DataFrame(ROWS | {"at": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="'at' holds text in .*a.parquet and numbers in"):
        load_interactions(tmp_path, min_user_interactions=1, time="at")


def test_files_may_write_one_kind_in_several_types(tmp_path):
    frame = pd.DataFrame(ROWS)
    frame.astype({"user_id": "int32", "item_id": "category"}).to_parquet(tmp_path / "a.parquet")
    frame.assign(user_id=[2**40, 3, 3]).to_parquet(tmp_path / "b.parquet")
    found = load_interactions(tmp_path, min_user_interactions=1)
    assert found.user_ids.tolist() == [1, 2, 3, 2**40] and found.item_ids.tolist() == ["a", "b"]


def test_how_text_is_laid_out_is_not_said_of_parquet(tmp_path):
    folder = folder_of(ratings(), tmp_path / "data")
    (tmp_path / "items.csv").write_text("item_id;title\n4;One\n")
    options = {"separator": ";", "items": tmp_path / "items.csv"}
    assert "One" in set(load_interactions(folder, **options).items["title"])
    for layout in ({"separator": ";"}, {"encoding": "utf-8"}, {"header": False}):
        for source in (folder, ratings()):
            with pytest.raises(ConfigError, match="leave them out"):
                load_interactions(source, **layout)


def test_a_store_is_of_the_partitions_as_they_are_called(tmp_path):
    folder, store = folder_of(ratings(), tmp_path / "data"), tmp_path / "store"
    options = {"item": "year", "store": store, "min_user_interactions": 1}
    load_interactions(folder, **options)
    (folder / "year=2021").rename(folder / "year=2031")
    with pytest.raises(StorageError, match="read with other options"):
        load_interactions(folder, **options)


def test_nothing_left_and_a_column_of_two_purposes_are_no_damage(tmp_path):
    folder = folder_of(ratings(), tmp_path / "data")
    with pytest.raises(DataError, match="nothing is left: 0 interactions"):
        load_interactions(folder, value="stars", min_rating=6)
    with pytest.raises(ConfigError, match="'user_id' is named for two"):
        load_interactions(folder, item="user_id")


def test_numbers_of_numpy_are_numbers(tmp_path):
    folder, store = folder_of(ratings(), tmp_path / "data"), tmp_path / "store"
    options = {"value": "stars", "min_rating": np.float32(4), "store": store}
    found = load_interactions(folder, **options, min_user_interactions=np.int64(3))
    assert found.X.shape[0] == 60
