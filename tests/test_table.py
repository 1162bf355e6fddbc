"""SQL in a page: SQLite in a real browser gives the library's lists, and nothing leaves here."""

import hashlib
import json
import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe import AXE, RUN, violations
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

from celsa_lib import demo, load_dataset
from celsa_lib.book import book_server, served_at
from celsa_lib.book.notebook import code_of
from celsa_lib.cli import app
from celsa_lib.data.download import locate
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError

ROOT = Path(__file__).parents[1]
SQLITE = ROOT / "book/assets/_static/sqlite"
LOADED = {"sql-worker.js", "sqlite/sql-wasm-browser.js", "sqlite/sql-wasm-browser.wasm"}
CODE = code_of(ROOT / "notebooks/serving.ipynb")
QUESTION = re.search(r'QUESTION = """\n(.*?)\n"""', CODE, re.S)[1]
MOST = 1_500_000  # bytes of a page, as for all pages
TITLES = ["</script><script>window.broken = 1</script>", "<img src=x onerror='window.broken = 1'>"]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
THEME = ":root { color-scheme: light dark }"


@pytest.fixture(scope="module")
def catalogue():
    """Data, MovieLens where it is here, else synthetic, and drawn rows of 16 values."""
    if locate("ml-100k"):
        data = load_dataset("ml-100k", progress=False)
    else:
        data = load_dataset("synthetic", n_users=400, n_items=200, n_segments=12)
    rng = np.random.default_rng(0)
    columns = [rng.choice(128, 16, replace=False) for _ in data.item_ids]
    values = rng.standard_normal(16 * len(columns)).astype(np.float32) / 4
    starts = 16 * np.arange(len(columns) + 1)
    rows = csr_matrix((values, np.concatenate(columns), starts), (len(columns), 128))
    return data, ItemEmbeddings(rows)


@pytest.fixture(scope="module")
def html(catalogue) -> str:
    return demo.live_table(*catalogue, QUESTION).html


@pytest.fixture(scope="module")
def handmade() -> str:
    """Items 0 to 4, all users like item 0: the list is 3, 2, 1, 4, two of hostile titles."""
    rows = csr_matrix(np.array([[1, 0], [0.2, 0], [0.4, 1], [0.6, 0], [-1, 0]], np.float32))
    items = pd.DataFrame({"title": [*"ab", *TITLES, "e"], "genres": ["War", *[""] * 4]})
    return demo.table_page(
        "synthetic", items, np.arange(5)[::-1], ItemEmbeddings(rows), QUESTION
    ).html


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder as the built book has it, over HTTP: (folder, address)."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "_static").mkdir()
    (folder / "_static/sqlite").symlink_to(SQLITE)
    (folder / "_static/sql-worker.js").symlink_to(ROOT / "book/_static/sql-worker.js")
    (folder / "notebooks").mkdir()
    with book_server(folder, port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield folder, served_at(server)
        server.shutdown()


@pytest.fixture
def open_served(browser, served):
    """A function that opens HTML as a page of the book; `asked`, `trouble` are what it notes."""
    folder, address = served
    pages = []

    def open_page(body: str, clock: bool = False, **options):
        icon = '<link rel="icon" href="data:,">'  # or the browser asks for one
        head = f'<meta charset="utf-8">{icon}<title>Serving</title><style>{THEME}</style>'
        whole = f"<head>{head}</head><body><h1>Serving</h1>{body}</body>"
        root = 'lang="en" data-content_root="../"'  # as Sphinx writes it
        file = folder / "notebooks/serving.html"
        file.write_text(f"<!DOCTYPE html><html {root}>{whole}</html>")
        page = browser.new_page(**options)
        pages.append(page)
        page.asked, page.trouble = [], []
        page.context.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda m: page.trouble.append(m.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        if clock:
            page.clock.install()
        page.goto(f"{address}notebooks/serving.html")
        return page

    yield open_page
    for page in pages:
        page.close()


def answer(page, sql: str | None = None, says: str = ".") -> list[list[str]]:
    """Run a statement, by default the one that is there; the rows that the page then shows."""
    if sql is not None:
        page.get_by_label("Statement").fill(sql)
    page.get_by_role("button", name="Run").click()
    wait_for(page, says)
    return cells(page, "result")


def wait_for(page, says: str) -> None:
    """Until the button can be pressed again and the status has the words `says`."""
    page.locator("[data-part=run][aria-disabled=false]").wait_for()
    assert says in status(page), status(page)


def status(page) -> str:
    return page.get_by_role("status").inner_text()


def cells(page, part: str) -> list[list[str]]:
    lines = page.locator(f"[data-part={part}] tbody tr")
    return lines.evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.textContent))")


def contents_of(html: str) -> dict:
    return json.loads(re.search(r'id="celsa-table-data">(.*?)</script>', html, re.S)[1])


def test_sqlite_gives_the_lists_of_the_library(catalogue, html, open_served):
    data, embeddings = catalogue
    page = open_served(html)
    examples = contents_of(html)["examples"]
    assert len(examples) > 1
    for place, example in enumerate(examples):
        page.get_by_label("Example").select_option(str(place))
        found = answer(page, says="The same list as the library’s.")
        x = np.zeros(data.X.shape[1], np.float32)
        x[example["items"]] = 1
        items, scores = embeddings.recommend(csr_matrix(x), n=10)
        assert [int(item) for item, *_ in found] == items[0].tolist()
        assert [title for _, title, _ in found] == data.items["title"].iloc[items[0]].tolist()
        np.testing.assert_allclose([float(score) for *_, score in found], scores[0], rtol=1e-5)
        assert [line[:2] for line in cells(page, "library")] == [line[:2] for line in found]
    assert not page.trouble


def test_a_page_is_light_asks_for_sqlite_by_a_click_and_for_nothing_from_elsewhere(
    html, served, open_served
):
    page = open_served(html)
    page.wait_for_load_state("networkidle")
    address = served[1]
    own = {f"{address}notebooks/serving.html"}
    assert len(html.encode()) < MOST and set(page.asked) == own
    answer(page, says="The same list")
    assert set(page.asked) - own == {f"{address}_static/{name}" for name in LOADED}


def test_a_page_opened_as_a_file_says_how_it_runs(html, open_html):
    page = open_html(html)
    sentence = page.get_by_text("celsa book --serve")
    assert not sentence.is_visible()
    answer(page, says="SQLite has not been loaded.")
    assert sentence.is_visible()
    assert "--serve" in CliRunner().invoke(app, ["book", "--help"], env={"COLUMNS": "200"}).output


def test_files_that_are_missing_are_said_to_be_missing(handmade, open_served):
    page = open_served(handmade)
    page.route("**/*.wasm", lambda route: route.abort())
    answer(page, says="SQLite could not be loaded")
    page.unroute("**/*.wasm")
    assert answer(page, says="The same list")  # it tries again


def test_what_is_wrong_with_a_statement_is_said_in_words(handmade, open_served):
    page = open_served(handmade)
    assert answer(page, "SELEC 1", 'SQLite says: near "SELEC": syntax error') == []
    assert answer(page, "SELECT 1; SELECT x", "SQLite says: no such column: x") == []
    assert answer(page, "", "It asks for no rows.") == []
    assert answer(page, "SELECT 1 AS a, NULL, 0.1 + 0.2, x'00ff'", "1 row. This is another") == [
        ["1", "NULL", "0.3", "2 bytes"]
    ]
    numbers = ENDLESS.replace("max(i)", "i")
    assert len(answer(page, numbers, "200 rows, the first of more")) == 200


def test_every_run_begins_with_the_same_tables(handmade, open_served):
    page = open_served(handmade)
    assert [line[0] for line in answer(page, says="The same list")] == ["3", "2", "1", "4"]
    seen = f"INSERT INTO seen VALUES (3); {QUESTION}"
    assert [line[0] for line in answer(page, seen, "another list")] == ["2", "1", "4"]
    backwards = QUESTION.replace("score DESC", "score")
    assert len(answer(page, backwards, "The library’s items in another order.")) == 4
    answer(page, "DROP TABLE postings", "It asks for no rows.")
    assert [line[0] for line in answer(page, QUESTION, "The same list")] == ["3", "2", "1", "4"]


def test_a_statement_without_end_is_stopped(handmade, open_served):
    page = open_served(handmade, clock=True)
    page.get_by_label("Statement").fill(ENDLESS)
    page.get_by_role("button", name="Run").click()
    page.get_by_text("Running …").wait_for()
    page.clock.fast_forward(5_000)
    assert status(page) == "Running …"  # and the page is alive
    page.clock.fast_forward(6_000)
    wait_for(page, "Stopped: the statement took longer than 10 seconds.")
    assert len(answer(page, QUESTION, "The same list")) == 4


def test_titles_and_statements_are_text(handmade, open_served):
    page = open_served(handmade)
    shown = answer(page, says="The same list")
    assert [title for _, title, _ in shown][:2] == [TITLES[1], TITLES[0]]
    markup = f"SELECT '{TITLES[0]}' AS \"<img src=x>\""
    assert answer(page, markup, "1 row") == [[TITLES[0]]]
    assert page.locator("#celsa-table img").count() == 0
    assert page.evaluate("window.broken") is None
    question = f"SELECT '</textarea>{TITLES[1]}'".replace("onerror='window.broken = 1'", "")
    items = pd.DataFrame({"title": ["a"]})
    other = demo.table_page("synthetic", items, np.ones(1), ItemEmbeddings(np.eye(1)), question)
    page = open_served(other.html)
    assert page.get_by_label("Statement").input_value() == question
    assert not page.trouble


def test_a_keyboard_is_enough_and_a_screen_reader_hears(html, open_served):
    page = open_served(html, color_scheme="light", viewport={"width": 375, "height": 800})
    page.get_by_label("Example").focus()
    page.keyboard.press("ArrowDown")
    picks = contents_of(html)["examples"][1]["items"]
    first = contents_of(html)["titles"][picks[0]]
    assert page.locator("[data-part=seen]").inner_text().startswith(first)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "celsa-table-sql"
    page.keyboard.press("Tab")  # the box does not keep it
    page.keyboard.press("Enter")
    wait_for(page, "The same list as the library’s.")
    assert page.evaluate("document.activeElement.dataset.part") == "run"
    page.get_by_label("Statement").fill("SELECT 5 AS item")
    page.keyboard.press("Control+Enter")
    wait_for(page, "1 row. This is another list")
    page.evaluate(AXE)
    assert not list(violations(page.evaluate(RUN % "")))
    page.emulate_media(color_scheme="dark")
    assert not list(violations(page.evaluate(RUN % ", runOnly: ['color-contrast']")))
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_sqlite_is_the_one_that_its_note_names():
    named = re.findall(r"^([0-9a-f]{64})  (\S+)$", (SQLITE / "SOURCE.txt").read_text(), re.M)
    for digest, name in named:
        assert hashlib.sha256((SQLITE / name).read_bytes()).hexdigest() == digest, name
    others = {"LICENSE", "AUTHORS", "SOURCE.txt"}
    assert {name for _, name in named} == {path.name for path in SQLITE.iterdir()} - others != set()
    version = (SQLITE / "SOURCE.txt").read_text().split()[1]
    assert f"sql.js {version}" in (ROOT / "LICENSE").read_text()


def test_rows_with_input_scales_are_refused(catalogue):
    data, embeddings = catalogue
    scaled = ItemEmbeddings(embeddings.matrix, input_scales=np.ones(len(data.items), np.float32))
    with pytest.raises(ConfigError, match="without input scales"):
        demo.live_table(data, scaled, QUESTION)


def test_a_book_is_served_to_this_machine_alone(tmp_path, monkeypatch):
    from celsa_lib.cli import notebooks

    with book_server(tmp_path, port=0) as first:
        assert first.server_address[0] == "127.0.0.1"
        with book_server(tmp_path, port=first.server_port) as second:  # taken: another port
            assert served_at(second) != served_at(first)
            assert served_at(second) == f"http://127.0.0.1:{second.server_port}/"

    def stop(server):
        raise KeyboardInterrupt

    monkeypatch.setattr("socketserver.BaseServer.serve_forever", stop)
    said = []
    monkeypatch.setattr(notebooks.typer, "echo", said.append)
    notebooks._serve(tmp_path)
    assert re.fullmatch(r"open http://127.0.0.1:\d+/ \(Ctrl-C ends\)", said[0])
