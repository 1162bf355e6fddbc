"""Items chosen by what is known of them, in the library, by the commands and in engines."""

import numpy as np
import pandas as pd
import pytest
from commands import call
from scipy.sparse import csr_matrix, eye
from served_rows import anchored_rows

import celsa_lib as cl
from celsa_lib.conditions import chosen_items
from celsa_lib.data import Dataset
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.retrieval import engines


@pytest.fixture(scope="module")
def films() -> Dataset:
    items = pd.DataFrame(
        {
            "title": ["Alien", "Heat", "Brazil", "M>3=4"],
            "year": [1979.0, 1995.0, 1985.0, np.nan],
            "genres": ["Horror|Sci-Fi", "Crime", "Sci-Fi|Drama", None],
        },
        index=[10, 20, 30, 40],
    )
    return Dataset("films", csr_matrix(eye(4)), np.arange(4), items.index.to_numpy(), items, "", "")


@pytest.mark.parametrize(
    ("only", "without", "among", "left_out"),
    [
        (["year>=1985"], None, [1, 2], None),
        (["year > 1979", "genres=sci-fi"], None, [2], None),
        (["year<1985"], ["Heat"], [0], [1]),
        (["year<=1985", "year!=1979"], None, [2], None),
        (["genres!=Crime"], None, [0, 2], None),
        (["year=1995"], ["genres=Drama", "30", "M>3=4"], [1], [2, 2, 3]),
        (None, ["title=Heat"], None, [1]),
        (["year>2000"], None, [], None),
        (None, None, None, None),
    ],
)
def test_conditions_by_hand(films, only, without, among, left_out):
    """A missing value fulfils no condition; a title may look like one."""
    found = chosen_items(films, only, without)
    expected = {"among": among, "without": left_out}
    assert found.keys() == {name for name, places in expected.items() if places is not None}
    for name, places in found.items():
        assert places.tolist() == expected[name]


@pytest.mark.parametrize(
    ("only", "without", "error", "said"),
    [
        (["Alien"], None, ConfigError, '--only "Alien" is no condition'),
        (["colour=red"], None, ConfigError, "the columns are title, year, genres"),
        (["year>soon"], None, ConfigError, "year is compared with numbers"),
        (["genres>Drama"], None, ConfigError, "genres is text; ask by = or !="),
        (None, ["Nothing"], DataError, "no item of films"),
    ],
)
def test_what_is_no_condition_is_refused(films, only, without, error, said):
    with pytest.raises(error, match=said):
        chosen_items(films, only, without)


def test_similar_items_among_some():
    rows = anchored_rows(50)
    for embeddings in (rows, rows.pack(8)):
        all_found, _ = embeddings.similar([3], 49)
        left = [item for item in all_found[0] if item % 2 and item != 7]
        some, _ = embeddings.similar([3], 49, among=range(1, 50, 2), without=[7])
        assert [item for item in some[0] if item >= 0] == left
    with engines.open("exact", rows) as index:
        odd = [f"item {item}" for item in range(1, 50, 2)]
        ids, _ = index.similar("item 3", 49, exclude=["item 7"], filter=odd)
        expected = rows.similar([3], 49, among=range(1, 50, 2), without=[7])[0][0]
        assert ids.tolist() == [f"item {item}" for item in expected if item >= 0]


@pytest.mark.parametrize("name", [None, "sqlite"])
def test_commands_choose_in_the_process_and_in_an_engine(name, tmp_path):
    rows = "".join(f"{u},{i},Film {i}\n" for u in range(60) for i in range(u % 7, 40, 2))
    data = tmp_path / "mine.csv"
    data.write_text("user_id,item_id,title\n" + rows)
    ids = cl.load_interactions(data).item_ids
    file = cl.ItemEmbeddings(anchored_rows(len(ids)).matrix, ids).save(tmp_path / "rows.npz")
    place = ["--from", name, "--path", tmp_path / "kept"] if name else []
    if name:
        call("load", file, data, "--into", name, "--path", tmp_path / "kept")
    for command in (["recommend", file, data, "3", "5"], ["similar", file, data, "9"]):
        first, *others = call(*command, "-n", 4, *place).output.splitlines()
        title = first.split(maxsplit=1)[1]
        shown = call(*command, "-n", 3, "--without", title, *place)
        assert shown.exit_code == 0 and shown.output.splitlines() == others
        shown = call(*command, "-n", 3, "--only", f"title={title}", *place)
        assert shown.output.splitlines() == [first]
