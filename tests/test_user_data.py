"""User data: sizes from the data, one command to one page, and clear refusals."""

import re
from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd
import pytest
from commands import call
from hypothesis import given, settings
from hypothesis import strategies as st

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.experiments import Scope, methods_for, settings_for_size, user_data_config
from celsa_lib.experiments.task import make_task
from celsa_lib.experiments.user_data import affordable, check_same_study
from celsa_lib.report.comparison import comparison_page, models_wanted
from celsa_lib.results import Result, load_result

NARROW = 375  # pixels: a telephone
HOSTILE = "<script>alert('x')</script>&\""
USER, ITEM, STARS = f"who {HOSTILE}", f"what {HOSTILE}", "<b>stars</b>"
profiles = st.sampled_from(["smoke", "laptop", "paper"])


def own_table() -> pd.DataFrame:
    """320 users and 90 items with hostile ids and column names; every other rating is low."""
    data = cl.make_synthetic(n_users=320, n_items=90, n_segments=8, mean_interactions=12, seed=3)
    users, items = data.X.nonzero()
    kept = pd.DataFrame({USER: users, ITEM: items, STARS: 5.0})
    low = kept.assign(**{STARS: 1.0, ITEM: (items * 7 + users) % 90}).iloc[::2]
    low = low[~low.set_index([USER, ITEM]).index.isin(kept.set_index([USER, ITEM]).index)]
    table = pd.concat([kept, low])
    return table.assign(**{ITEM: [f"{HOSTILE}{item:03d}" for item in table[ITEM]]})


OPTIONS = ["--user", USER, "--item", ITEM, "--value", STARS, "--min-rating", 4]
OPTIONS += ["--profile", "smoke", "--thorough"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the table as CSV and Parquet, and the page of each."""
    path = tmp_path_factory.mktemp("own")
    own_table().to_csv(path / "mine<b>.csv", index=False)
    own_table().to_parquet(path / "mine.parquet")
    for name in ("mine<b>.csv", "mine.parquet"):
        done = call("compare", path / name, *OPTIONS, "--out", path / f"{name}.html")
        assert done.exit_code == 0, done.output
        assert f"open {path / name}.html" in done.output
    return path


@settings(deadline=None)
@given(st.integers(300, 10**8), st.integers(17, 10**6), profiles)
def test_sizes_fit_the_data(users, items, profile):
    sizes = settings_for_size(users, items, profile)
    learners = users - sizes.n_test - sizes.n_val
    assert 50 <= sizes.n_val <= sizes.n_test <= min(2500, max(50, users // 10))
    assert learners >= 200
    assert sizes.batch_size <= 1024
    assert learners / sizes.batch_size >= (1 if profile == "smoke" else 10)
    assert 1 <= sizes.epochs <= 10
    assert sizes.budgets and max(sizes.budgets) < 4 * items
    nnz = max(sizes.budgets) // 8
    assert 2 * nnz <= sizes.width <= max(256, items / 2)
    assert nnz <= sizes.code_width
    widths = [budget // 4 for budget in sizes.budgets]
    assert sizes.dense_width > max(*widths, 256)  # else its label were the low-dimensional one


@settings(deadline=None)
@given(st.integers(300, 10**7), st.integers(17, 10**6), profiles)
def test_every_model_of_a_study_is_another(users, items, profile):
    methods = methods_for(settings_for_size(users, items, profile), tuned=True)
    keys = [(method.name, str(method.params), str(method.grid)) for method in methods]
    assert len(set(keys)) == len(keys)


@settings(deadline=None)
@given(st.integers(300, 10**6), st.integers(17, 10**5))
def test_more_data_never_means_smaller_sizes(users, items):
    small, large = settings_for_size(users, items), settings_for_size(2 * users, 2 * items)
    for name in ("n_test", "n_val", "width", "dense_width", "batch_size", "code_width"):
        assert getattr(small, name) <= getattr(large, name)


def test_sizes_for_known_data():
    ml_100k, goodbooks = settings_for_size(943, 1447), settings_for_size(53_000, 10_000)
    assert (ml_100k.n_test, ml_100k.width, ml_100k.batch_size) == (94, 256, 64)
    assert (ml_100k.epochs, ml_100k.pruning_epochs, ml_100k.code_width) == (5, 2, 1024)
    assert (goodbooks.n_test, goodbooks.width, goodbooks.batch_size) == (2500, 2048, 1024)
    assert goodbooks.epochs == 8


@pytest.mark.parametrize(("users", "items"), [(299, 1000), (1000, 16)])
def test_too_little_data_is_refused(users, items):
    with pytest.raises(DataError, match=f"{users:,} users and {items:,} items"):
        settings_for_size(users, items)


def test_an_unknown_profile_is_refused():
    with pytest.raises(ConfigError, match="laptop"):
        settings_for_size(1000, 1000, "huge")


def test_ease_is_left_out_where_it_does_not_fit():
    methods = methods_for(settings_for_size(10_000, 30_000))
    names = {method.name for method in affordable(methods, 30_000, 8.0)}
    assert names == {method.name for method in methods} - {"EASE", "PrunedEASE"}
    for memory in (16.0, 0):  # enough, not known
        assert affordable(methods, 30_000, memory) == methods


def test_options_of_loading_are_part_of_the_study():
    data = cl.make_synthetic(n_users=320, n_items=90, n_segments=8, seed=3)
    one, other = (user_data_config(data, "smoke", loading={"min_rating": r}) for r in (3.0, 4.0))
    row = {"hash": one.row_hash(one.methods[1].candidates()[0], 0, data.checksum)}
    check_same_study(Result({}, [row]), one, data, "r.json")
    check_same_study(Result({}, [row]), replace(one, seeds=(0, 1)), data, "r.json")
    with pytest.raises(ConfigError, match=r"r\.json holds 1 results"):
        check_same_study(Result({}, [row]), other, data, "r.json")


def test_the_task_has_its_test_users_apart():
    data = cl.make_synthetic(n_users=320, n_items=90, n_segments=8, seed=3)
    task = make_task(user_data_config(data, "smoke"), data)
    assert task.fit.shape[0] == 320 - 50
    assert task.tune_fit.shape[0] == 320 - 50 - 50


def test_csv_and_parquet_give_the_same_study(folder):
    csv, parquet = (load_result(folder / f"mine{end}.json") for end in ("<b>.csv", ".parquet"))
    # Three without a budget, four families at two sizes, two recommended ones at one more.
    assert len(csv.rows) == 3 + 4 * 2 + 2 * 3
    for ours, theirs in zip(csv.rows, parquet.rows, strict=True):
        assert ours["label"] == theirs["label"] and ours["mean"] == theirs["mean"]
    assert csv.manifest["config"]["data_params"]["min_rating"] == 4


def test_the_page_says_everything(folder):
    page = (folder / "mine<b>.csv.html").read_text()
    result = load_result(folder / "mine<b>.csv.json")
    data, (run,) = result.manifest["data"], result.manifest["runs"].values()
    said = ["A live run", data["checksum"], run["machine"]["cpu"], "rating of 4 or more"]
    said += [f"<dd>{data[size]:,}</dd>" for size in ("users", "items", "interactions")]
    said += [run["commit"], run["date"], "learning_rate = 0.3"]
    said += [
        "These numbers mean nothing",
        "Which budget keeps 99 %",
        "95 % interval",
        "data:image/svg+xml;base64,",
        'alt="nDCG',
    ]
    for text in said:
        assert text in page, text
    for row in result.rows:
        assert row["label"] in page
        assert f"{result.by_user([row]).mean():.4f} ±" in page


def test_a_page_says_that_it_is_unfinished(folder):
    result = load_result(folder / "mine<b>.csv.json")
    wanted = len(result.rows)
    assert models_wanted(result.manifest["config"]) == wanted
    assert "Unfinished" not in comparison_page(result)
    result.rows.pop()
    assert f"Unfinished: {wanted - 1} of {wanted} models are there" in comparison_page(result)


def test_the_page_asks_for_nothing(folder):
    page = (folder / "mine.parquet.html").read_text()
    assert not re.search(
        r"https?:|//[a-z]|@import|<script|<link(?! rel=\"icon\" href=\"data:)", page
    )
    assert set(re.findall(r"\bsrc=\"([a-z+/]+:)", page)) == {"data:"}
    assert "url(" not in page


def test_text_from_data_is_escaped(folder):
    page = (folder / "mine<b>.csv.html").read_text()
    assert "<script" not in page and "<b>" not in page
    assert escape(HOSTILE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert "mine&lt;b&gt;.csv" in page


def test_a_rerun_fits_nothing(folder, monkeypatch):
    before = (folder / "mine.parquet.html").read_text()

    def fit(*arguments, **options):
        raise AssertionError("nothing is left to fit")

    monkeypatch.setattr(cl.EASE, "fit", fit)
    monkeypatch.setattr(cl.CompressedELSA, "fit_budgets", fit)
    file = folder / "mine.parquet"
    done = call("compare", file, *OPTIONS, "--out", folder / "mine.parquet.html")
    assert done.exit_code == 0, done.output
    undated = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", text) for text in
               (before, (folder / "mine.parquet.html").read_text())]  # fmt: skip
    assert undated[0] == undated[1]


def test_other_options_do_not_replace_finished_results(folder):
    stored = (folder / "mine.parquet.json").read_bytes()
    options = [4.5 if option == 4 else option for option in OPTIONS]
    file, page = folder / "mine.parquet", folder / "mine.parquet.html"
    done = call("compare", file, *options, "--out", page)
    assert done.exit_code == 1
    assert "choose another --out" in done.stderr
    assert (folder / "mine.parquet.json").read_bytes() == stored


def test_usually_nothing_long_is_compared():
    """No autoencoder, and nothing to choose but EASE's regularisation; --thorough has both."""
    data = cl.make_synthetic(n_users=400, n_items=100, n_segments=8)
    usual = user_data_config(data, "laptop").methods
    assert usual[0].params["recipe"] == "recommended"
    assert {name for method in usual for name in method.grid} == {"reg"}
    thorough = user_data_config(data, "laptop", scope=Scope(thorough=True)).methods
    assert {"SparseAutoencoderELSA"} == {m.name for m in thorough} - {m.name for m in usual}
    assert {name for method in thorough for name in method.grid} >= {"reg", "learning_rate"}


def test_only_what_is_asked_for_is_compared(folder):
    asked = ["--methods", "recommended setting", "--methods", "EASE", "--budgets", 64]
    page = folder / "some.html"
    done = call("compare", folder / "mine.parquet", *OPTIONS, *asked, "--out", page)
    assert done.exit_code == 0, done.output
    rows = load_result(page.with_suffix(".json")).rows
    assert [(row["label"], row["budget_bytes"]) for row in rows][:1] == [
        ("Recommended setting", 64)
    ]
    assert {row["label"] for row in rows} == {"Recommended setting", "EASE"}
    assert not done.stdout.startswith("None")


def few_users(path):
    users = np.repeat(np.arange(30), 6)
    pd.DataFrame({"user_id": users, "item_id": np.arange(180) % 40}).to_csv(path, index=False)


def enough_users(path):
    users = np.repeat(np.arange(300), 6)
    pd.DataFrame({"user_id": users, "item_id": np.arange(1800) % 40}).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("a.csv", "user;item\n1;2\n", [], "has no column 'user_id'"),
        ("a.csv", "user_id,item_id\n1,2\n", ["--min-rating", 3], "rating column"),
        (
            "a.csv",
            "user_id,item_id,r\n1,2,x\n",
            ["--value", "r", "--min-rating", 3],
            "not a number",
        ),
        ("a.csv", "user_id,item_id\n1,2\n", ["--value", "r"], "lowest rating that counts"),
        ("a.csv", "user_id,item_id,session\nu1,i9,s3,\n", [], "line 2: 4 fields"),
        (
            "a.csv",
            "1;2\n3;4\n",
            ["--no-header"],
            "no column 'user_id', 'item_id'; its columns are '1'",
        ),
        ("a.csv", "user_id,item_id\n1,2\n", ["--separator", "tab"], "give one character"),
        ("a.csv", "user_id,item_id\n1,2\n", [], "nothing is left"),
        ("a.csv", "", [], "a.csv"),
        ("a.parquet", "no parquet", [], "a.parquet"),
        ("a.xlsx", "x", [], "call it .csv, .tsv or .parquet"),
        ("a.csv", None, [], "is not a file"),
        ("a.csv", few_users, [], "30 users and 40 items are left"),
        ("a.csv", few_users, ["--profile", "huge"], "smoke, laptop, paper"),
        ("a.csv", few_users, ["--out", "page.csv"], "name in .html"),
        ("a.csv", enough_users, ["--methods", "EAZE"], "no method EAZE; choose of Recommended"),
        ("a.csv", enough_users, ["--budgets", "7"], "multiples of 8 bytes"),
        ("a.csv", enough_users, ["--budgets", "80000000"], "bytes at most, and 80,000,000 are"),
    ],
)
def test_what_a_user_can_do_wrong(tmp_path, monkeypatch, name, text, options, words):
    monkeypatch.chdir(tmp_path)
    if callable(text):
        text(tmp_path / name)
    elif text is not None:
        (tmp_path / name).write_text(text)
    done = call("compare", name, *options)
    assert done.exit_code == 1
    assert done.stderr.startswith("celsa: ") and words in done.stderr
    assert "Traceback" not in done.output
    assert {path.name for path in tmp_path.iterdir()} <= {name}


def test_the_page_in_a_browser_without_network(browser, folder):
    context = browser.new_context(offline=True, viewport={"width": NARROW, "height": 800})
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    try:
        page.goto((folder / "mine.parquet.html").as_uri())
        for details in page.locator("summary").all():
            details.click()
        too_wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        drawn = page.evaluate("() => document.querySelector('figure img').naturalWidth")
        colours = set()
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            colours.add(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    finally:
        context.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not errors
    assert too_wide <= 0
    assert drawn > 0
    assert len(colours) == 2
