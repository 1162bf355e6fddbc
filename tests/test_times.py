"""Times are read strictly, and a split by time learns from nothing that came later."""

import numpy as np
import pandas as pd
import pytest
from commands import call_in
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.data.times import moment, times_of, written
from celsa_lib.errors import CelsaError, ConfigError, DataError
from celsa_lib.experiments import user_data_config
from celsa_lib.experiments.task import make_task
from celsa_lib.results import load_result

LEAP_DAY = 1_709_164_800  # 2024-02-29T00:00:00 UTC in Unix seconds
DATES = ["2024-02-29", "2024-02-29T00:00:01"]
ROWS = [  # user, item, time: eight interactions of four users, one of them twice
    ("a", "p", 9),
    ("a", "p", 1),
    ("a", "q", 5),
    ("a", "r", 3),
    ("b", "p", 2),
    ("b", "s", 8),
    ("c", "q", 1),
    ("c", "r", 2),
    ("d", "s", 9),
]


def few(rows=ROWS, **options) -> cl.Dataset:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "at"])
    return cl.load_interactions(frame, time="at", min_user_interactions=1, **options)


def dense(X) -> list:
    return X.toarray().astype(int).tolist()


@pytest.mark.parametrize(
    "values",
    [
        DATES,
        ["2024-02-29 00:00:00Z", "2024-02-29T01:00:01+01:00"],
        pd.to_datetime(DATES, format="ISO8601"),
        pd.to_datetime(DATES, format="ISO8601").tz_localize("UTC").tz_convert("Asia/Tokyo"),
        *([LEAP_DAY * unit, (LEAP_DAY + 1) * unit] for unit in (1, 10**3, 10**6, 10**9)),
        [float(LEAP_DAY), LEAP_DAY + 1.0],
        [f"{LEAP_DAY}", f" {LEAP_DAY + 1}"],
        pd.array([LEAP_DAY, LEAP_DAY + 1], dtype="Int64"),
        [20240229000000, 20240229000001],
        ["20240229000000", "20240229000001"],
    ],
)
def test_dates_and_unix_times_are_one(values):
    found = times_of(pd.Series(values, name="at"), "f")
    assert found.dtype == "datetime64[us]" and [written(at) for at in found] == DATES


@pytest.mark.parametrize(
    ("values", "dates"),
    [
        ([20240301, 19981231], ["2024-03-01", "1998-12-31"]),
        (["20240301"], ["2024-03-01"]),
        ([202611281530, 202611290000], ["2026-11-28T15:30", "2026-11-29"]),
        ([20261128153059], ["2026-11-28T15:30:59"]),
        ([2026112815, 2026112899], ["2034-03-16T09:06:55", "2034-03-16T09:08:19"]),  # hour 99: Unix
        ([1_312_311_200, 1_312_399_999], ["2011-08-02T18:53:20", "2011-08-03T19:33:19"]),
    ],
)
def test_dates_in_digits_are_what_they_say(values, dates):
    assert [written(at) for at in times_of(pd.Series(values, name="at"), "f")] == dates


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([2611281530, 2611281531], "in s or dates as YYMMDDhhmm: data row 1 has 2611281530"),
        ([2026112815, 2026112816], "in s or dates as YYYYMMDDhh"),
        (["971128153000", "971128153001"], "in ms or dates as YYMMDDhhmmss"),
    ],
)
def test_numbers_that_may_be_two_times_are_refused(values, form):
    with pytest.raises(DataError, match=f"may hold Unix times {form}"):
        times_of(pd.Series(values, name="at"), "f")


@pytest.mark.parametrize(
    ("values", "kind"), [([3, 20240301], "int64"), ([0.5, 2.0], "float64"), (["7", "1"], "int64")]
)
def test_other_numbers_stay_as_they_are(values, kind):
    found = times_of(pd.Series(values, name="at"), "f")
    assert found.dtype == kind and found.tolist() == [float(value) for value in values]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["2024-02-29", "2024-02-30"], r"data row 2, column 'at': '2024-02-30' is no time"),
        (["2024-02-29", None, "2024-03-01"], "data row 2, .* is no time"),
        (["2024-02-29", ""], "data row 2, .*: '' is no time"),
        ([f"{LEAP_DAY}", "", f"{LEAP_DAY}", f"{LEAP_DAY + 1}"], "data row 2, .*: '' is no time"),
        ([f"{LEAP_DAY}", f"{LEAP_DAY + 1}", "2024-02-29"], "row 3, .*'2024-02-29' is no time"),
        ([1.0, np.nan], "data row 2, .* is no time"),
        ([1.0, np.inf], "data row 2, .* is no time"),
        (pd.array([1, None], dtype="Int64"), "data row 2, .* is no time"),
        (pd.to_datetime(["2024-02-29", None]), "data row 2, .* is no time"),
        ([LEAP_DAY, LEAP_DAY * 1000], r"mixes Unix times in s and ms: data row 1 has 1709164800"),
        ([20240229, 20230229], "row 2, column 'at': 20230229 is no time"),
        (["29/02/2024"], "write a date as 2024-03-01"),
        ([True, False], "has bool, not times"),
    ],
)
def test_what_is_no_time_is_refused(values, said):
    with pytest.raises(DataError, match=said):
        times_of(pd.Series(values, name="at"), "f")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague"])
@given(st.datetimes(min_value=pd.Timestamp("1985-01-01"), max_value=pd.Timestamp("2090-01-01")))
@settings(max_examples=50, deadline=None)
def test_a_moment_in_words_is_the_moment(zone, at):
    (found,) = times_of(pd.Series([pd.Timestamp(at, tz="UTC").tz_convert(zone)], name="at"), "f")
    assert found == np.datetime64(at) and moment(written(found), np.array([found])) == found


def test_a_moment_is_of_the_kind_of_the_times():
    dates, days = times_of(pd.Series(DATES), "f"), np.array([0, 400_000_000])
    assert moment(LEAP_DAY, dates) == moment("2024-02-29", dates) == dates[0]
    assert moment("350000000", days) == 350_000_000 and moment(7, days) == 7
    for given_, times, said in [
        ("7", dates, "times go from 2024-02-29 to 2024-02-29T00:00:01; give a date"),
        ("2024-02-29", days, "times go from 0 to 400000000; give a number"),
        ("soon", days, "'soon', which is no time"),
    ]:
        with pytest.raises(ConfigError, match=said):
            moment(given_, times)


def test_of_a_repeated_pair_the_first_time_counts():
    """In the order of X.data, and after the items were reordered too."""
    data = few()
    assert data.times.tolist() == [1, 5, 3, 2, 8, 1, 2, 9]
    turned = data.in_order_of(np.array(["s", "r", "q", "p"]))
    assert turned.times.tolist() == [3, 5, 1, 8, 2, 2, 1, 9]
    assert dense(turned.X) == [row[::-1] for row in dense(data.X)]
    again, same = (cl.split_by_time(d.X, d.times) for d in (turned, data))
    assert again.start == same.start and dense(again.target[:, ::-1]) == dense(same.target)


def test_of_rows_that_do_not_count_no_time_does():
    stars = pd.DataFrame(ROWS, columns=["user_id", "item_id", "at"]).assign(stars=5)
    stars.loc[1, "stars"] = 1  # the earlier one of (a, p)
    options = {"time": "at", "value": "stars", "min_rating": 4}
    data = cl.load_interactions(stars, **options, min_user_interactions=1)
    assert data.times.tolist() == [9, 5, 3, 2, 8, 1, 2, 9]
    data = cl.load_interactions(stars, **options, min_user_interactions=2)
    assert data.times.tolist() == [9, 5, 3, 2, 8, 1, 2]


def test_a_split_worked_out_by_hand():
    """Times in order: 1 1 2 2 3 5 8 9, of which the last two are a fifth at least."""
    data = few()
    split = cl.split_by_time(data.X, data.times)
    assert split.start == "8" and split.test_rows.tolist() == [1]
    assert dense(split.given) == [[1, 0, 0, 0]] and dense(split.target) == [[0, 0, 0, 1]]
    assert split.train_rows.tolist() == [0, 2]
    assert dense(split.train) == [[1, 1, 1, 0], [0, 1, 1, 0]]
    assert split.train_times.tolist() == [1, 5, 3, 1, 2]
    (fold,) = split.folds
    assert fold == (split.given, split.target)

    split = cl.split_by_time(data.X, data.times, test_from=5)
    assert split.test_rows.tolist() == [0, 1] and split.train_rows.tolist() == [2]
    assert dense(split.given) == [[1, 0, 1, 0], [1, 0, 0, 0]]
    assert dense(split.target) == [[0, 1, 0, 0], [0, 0, 0, 1]]


def test_ties_are_all_on_one_side():
    rows = [(user, item, at) for user, at in (("a", 1), ("b", 1)) for item in "pqrs"]
    data = few([*rows, ("a", "t", 2)])  # a fifth of nine were 1.8, and the last two are 1 and 2
    assert cl.split_by_time(data.X, data.times).start == "2"
    with pytest.raises(DataError, match="one time, so none is later"):
        cl.split_by_time(*(lambda d: (d.X, d.times))(few(rows)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"test_from": 1},
            "^0 users have interactions both before 1 and from then on .times go from 1",
        ),
        ({"test_from": 99}, "^0 users have interactions both before 99"),
        (
            {"test_from": 5, "n_test": 3},
            "^2 users have .* 3 test users were asked for; .* lower n_test",
        ),
        ({"test_from": 2, "n_test": 2}, "no user is left to learn from before 2"),
        ({"n_test": -1}, "n_test must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"test_from": "2024-03-01"}, "give a number"),
    ],
)
def test_splits_that_cannot_be(options, said):
    data = few()
    with pytest.raises(CelsaError, match=said):
        cl.split_by_time(data.X, data.times, **options)


def test_times_belong_to_their_interactions():
    data = few()
    for times, said in [(None, "load it with time="), (data.times[1:], r"\(7,\) times for 8")]:
        with pytest.raises(DataError, match=said):
            cl.split_by_time(data.X, times)
    with pytest.raises(DataError, match="as they were loaded"):
        cl.split_by_time(data.X.toarray(), data.times)
    with pytest.raises(DataError, match="7 times for 8 interactions"):
        cl.Dataset(**vars(data) | {"times": data.times[1:]})


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_nothing_learned_is_as_late_as_anything_to_be_found(data):
    """And what came before is learned or given, each once, as the table says."""
    shape = data.draw(st.integers(3, 12)), data.draw(st.integers(2, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    X = csr_matrix((rng.random(shape) < 0.6).astype(np.float32))
    times = rng.integers(0, data.draw(st.integers(1, 20)), X.nnz)
    when = csr_matrix((times + 1, X.indices, X.indptr), shape).toarray()  # 0: never
    start = data.draw(st.none() | st.integers(1, 15))
    n_test = data.draw(st.none() | st.integers(1, 3))
    try:
        split = cl.split_by_time(X, times, n_test, start, seed=data.draw(st.integers(0, 9)))
    except DataError:
        assume(False)
    at = when - 1
    early, late = (when > 0) & (at < split.test_from), (when > 0) & (at >= split.test_from)
    assert np.array_equal(split.train.toarray() > 0, early[split.train_rows])
    assert np.array_equal(split.given.toarray() > 0, early[split.test_rows])
    assert np.array_equal(split.target.toarray() > 0, late[split.test_rows])
    assert split.train_times.tolist() == at[split.train_rows][early[split.train_rows]].tolist()
    assert split.train_times.max() < at[split.test_rows][late[split.test_rows]].min()
    assert not set(split.train_rows) & set(split.test_rows)
    assert set(split.train_rows) | set(split.test_rows) >= set(np.flatnonzero(early.any(axis=1)))
    assert np.diff(split.given.indptr).all() and np.diff(split.target.indptr).all()
    again = cl.split_by_time(X, times, len(split.test_rows), split.start, 0)
    assert again.test_from == split.test_from


COLUMNS = ["--user", "customer", "--item", "product"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a file of 340 users and rows trained on what they chose before March."""
    folder = tmp_path_factory.mktemp("own")
    X = cl.make_synthetic(n_users=340, n_items=60, n_segments=6, seed=1).X.tocoo()
    days = np.random.default_rng(0).integers(0, 75, X.nnz)  # the last fifth begins on 1 March
    frame = pd.DataFrame({"customer": [f"c{u}" for u in X.row], "product": X.col})
    at = np.datetime64("2024-01-01") + days
    frame.assign(at=at, day=days).to_csv(folder / "mine.csv", index=False)
    by_time = ["--time", "at", "--test-from", "2024-03-01"]
    size = ["--nnz", 4, "--epochs", 1]
    done = call_in(folder, "train", "mine.csv", *COLUMNS, *by_time, *size, "--out", "emb.npz")
    assert done.exit_code == 0, done.stderr
    return folder


def load(folder, time="at") -> cl.Dataset:
    return cl.load_interactions(folder / "mine.csv", user="customer", item="product", time=time)


def test_rows_are_tested_on_what_came_after_they_were_trained(own):
    embeddings, data = cl.ItemEmbeddings.load(own / "emb.npz"), load(own)
    assert embeddings.about["test_from"] == "2024-03-01"
    split = cl.split_by_time(data.X, data.times, 50, "2024-03-01")
    expected = cl.evaluate(embeddings, split.folds).mean["ndcg@100"]
    done = call_in(own, "evaluate", "emb.npz", "mine.csv")
    assert done.exit_code == 0, done.stderr
    assert "50 users, what they chose from 2024-03-01 on, 32 B per item" in done.stdout
    assert f"{expected:.4f} ±" in done.stdout
    again = call_in(own, "evaluate", "emb.npz", "mine.csv", *COLUMNS, "--time", "at")
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["recommend", "--for", "c7"],
        ["similar", "7"],
        ["segments"],
        ["export", "--format", "csr", "--out", "rows.npz"],
    ],
)
def test_other_commands_take_rows_that_were_trained_by_time(own, words):
    done = call_in(own, words[0], "emb.npz", "mine.csv", *words[1:])
    assert done.exit_code == 0 and done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "emb.npz", "mine.csv", "--test-from", "2024-02-01"], "leave out --test-from"),
        (["train", "mine.csv", *COLUMNS, "--test-from", "2024-03-01"], "name the column by --time"),
        (["train", "mine.csv", *COLUMNS, "--time", "then"], "has no column 'then'"),
        (["train", "mine.csv", *COLUMNS, "--time", "customer"], "named for two of user, item"),
        (["train", "mine.csv", *COLUMNS, "--time", "at", "--test-from", "May"], "which is no time"),
        (["train", "synthetic", "--test-from", "5"], "nothing says when interactions took place"),
        (["compare", "mine.csv", *COLUMNS, "--test-from", "5"], "name the column of times too"),
        (["compare", "mine.csv", *COLUMNS, "--time", "day", "--test-from", 2], "at least 50 are"),
        (
            ["compare", "mine.csv", *COLUMNS, "--time", "day", "--test-from", 1],
            "in turn, to choose",
        ),
    ],
)
def test_what_cannot_be_split_is_said_in_a_line(own, words, said):
    end = ["--nnz", 4, "--out", "other.npz"] if words[0] == "train" else []
    done = call_in(own, *words, *end)
    assert done.exit_code == 1 and said in done.stderr and "Traceback" not in done.stderr
    assert not (own / "other.npz").exists()


def test_rows_trained_without_times_are_not_tested_by_time(own):
    words = ["mine.csv", *COLUMNS, "--nnz", 4, "--epochs", 1, "--out", "timeless.npz"]
    assert call_in(own, "train", *words).exit_code == 0
    done = call_in(own, "evaluate", "timeless.npz", "mine.csv", *COLUMNS, "--time", "at")
    assert done.exit_code == 1 and "was trained without regard to time" in done.stderr


def test_what_is_chosen_is_chosen_before_the_test_begins(own):
    """By other users than those of the test: from what is learned, and from nothing else."""
    data = load(own, "day")
    config = user_data_config(data, "smoke")
    task, split = make_task(config, data), cl.split_by_time(data.X, data.times)
    assert config.test_from == split.start and config.n_test == len(split.test_rows) == 50
    when = csr_matrix((data.times + 1, data.X.indices, data.X.indptr), data.X.shape).toarray()
    others = np.setdiff1d(np.arange(data.X.shape[0]), split.test_rows)
    early = (when[others] > 0) & (when[others] - 1 < split.test_from)
    known = when[others] * early
    assert np.array_equal(task.fit.toarray() > 0, early[early.any(axis=1)])

    ((given_, target),) = task.tune_folds
    start = int(task.by_time["chosen_from"]) + 1
    assert start <= split.test_from and given_.shape[0] == config.n_val >= 50
    past, future = ((known > 0) & (known < start), known >= start)
    learned = [row.tobytes() for row in past]
    found = [row.tobytes() for row in np.hstack([past, future])]
    assert all(row.tobytes() in learned for row in task.tune_fit.toarray() > 0)
    chosen_with = np.hstack([given_.toarray() > 0, target.toarray() > 0])
    assert all(row.tobytes() in found for row in chosen_with)
    assert task.tune_fit.shape[0] + given_.shape[0] <= task.fit.shape[0]


def test_a_comparison_by_time_says_so(own):
    """And a rerun goes on from what is there; the same file without times is another study."""
    words = ["compare", "mine.csv", *COLUMNS, "--methods", "EASE", "--methods", "Popularity"]
    done = call_in(own, *words, "--time", "at", "--out", "by-time.html")
    assert done.exit_code == 0, done.output
    page, result = (own / "by-time.html").read_text(), load_result(own / "by-time.json")
    moments = result.manifest["by_time"]
    assert result.manifest["config"]["test_from"] == moments["test_from"] > moments["chosen_from"]
    for text in (
        f"Split by time: models learn from what was chosen before {moments['test_from']}",
        f"and what they chose from {moments['chosen_from']} on",
        "What that changes",
        "time: at",
    ):
        assert text in page, text
    assert "Split by users" not in page
    again = call_in(own, *words, "--time", "at", "--out", "by-time.html")
    assert again.exit_code == 0 and "trial" not in again.stderr
    assert load_result(own / "by-time.json").rows == result.rows
    other = call_in(own, *words, "--out", "by-time.html")
    assert other.exit_code == 1 and "choose another --out" in other.stderr


def test_words_and_sentinels_are_no_times():
    """ "now" is another date each day; a 0 among Unix times is a missing one."""
    for column, said in (
        (["2024-03-01", "now"], "row 2.*'now'"),
        (["today", "2024-03-01"], "row 1.*'today'"),
        ([1_700_000_000, 0, 1_710_000_000], "row 2.* 0 is no Unix time"),
        ([1_700_000_000, 1_710_000_000, -1], "row 3.* -1 is no Unix time"),
    ):
        with pytest.raises(DataError, match=said):
            times_of(pd.Series(column, name="day"), "it")


def test_times_that_are_none_are_no_split():
    X = csr_matrix(np.ones((2, 2), np.float32))
    for times in (np.full(4, np.nan), np.array(list("abcd")), np.array([1, 2, 3, np.inf])):
        with pytest.raises(DataError, match="dates or finite numbers"):
            cl.split_by_time(X, times)
    with pytest.raises(DataError, match="no interactions"):
        cl.split_by_time(csr_matrix((2, 2), dtype=np.float32), np.empty(0), test_from=1)
    with pytest.raises(DataError, match="^0 users have .*; choose another test_from$"):
        cl.split_by_time(X, np.arange(4), test_from=9)
    days = np.array(["2024-01-01", "2024-05-01"] * 2, dtype="datetime64[ns]")
    assert cl.split_by_time(X, days, 1, test_from="2024-03-01").start.startswith("2024-03-01")
