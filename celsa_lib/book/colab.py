"""Copies of the notebooks that fetch what they need: for download, and for Colab.

Colab starts with nothing but the notebook, and opens only what is on GitHub. So the copies of a
published book begin with a cell that installs celsa, and its workflow puts them on a branch.
"""

from pathlib import Path

import nbformat

from celsa_lib.files import write_whole

COLAB = "https://colab.research.google.com"
BRANCH = "colab"  # named in .github/workflows/publish.yml too
# As constraints the lock decides versions and leaves Colab's own Jupyter alone.
SETUP = """\
# Where celsa is not installed, as on Colab: fetch it, with the versions of the book (minutes).
# If you are asked to restart the session, do so and run this cell again.
import importlib.util
from pathlib import Path

if importlib.util.find_spec("celsa_lib") is None:
    !git clone --quiet --depth 1 --branch {branch} {url} celsa
    %pip install --quiet --constraint celsa/requirements.lock "./celsa[train,text]"
if Path("celsa/results").is_dir():
    %cd -q celsa
"""


def lead_to_copies(html: Path, pages: list[str], url: str, branch: str) -> None:
    """Notebooks to download in the folder `html` of a built book become copies; links to Colab
    on its `pages` (no suffix) lead to the branch that carries them.

    `url` and `branch`: where the book's repository is cloned from.
    """
    add_setup(html / "_sources" / "notebooks", url, branch)
    start = f"{COLAB}/github/{url.removeprefix('https://github.com/')}/blob"
    for file in (html / f"{page}.html" for page in pages):
        text = file.read_text(encoding="utf-8")
        text = text.replace(f"{start}/{branch}/", f"{start}/{BRANCH}/")
        write_whole(file, lambda out, text=text: out.write(text.encode()))


def add_setup(notebooks: Path, url: str, branch: str) -> None:
    """Put the installing cell below the title of every notebook in the folder `notebooks`."""
    for file in sorted(notebooks.glob("*.ipynb")):
        notebook = nbformat.read(file, as_version=4)
        cell = nbformat.v4.new_code_cell(SETUP.format(url=url, branch=branch).strip(), id="setup")
        notebook.cells.insert(1, cell)
        text = nbformat.writes(notebook)
        write_whole(file, lambda out, text=text: out.write(text.encode()))
