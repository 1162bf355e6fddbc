"""The book as one PDF: all pages in one HTML file, printed by Chromium.

Jupyter Book's own pdfhtml starts no browser but one that Playwright has downloaded, and prints
what is folded, solutions among it, folded.
"""

import shutil
import subprocess
from pathlib import Path

from celsa_lib.book.build import BUILD, jupyter_book
from celsa_lib.errors import NotebookError
from celsa_lib.files import write_whole

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Paper cannot be clicked: what is folded is open, but for the long catalogue of segments.
UNFOLD = """<script>addEventListener("load", () => {  // after the scripts that add to the page
  for (const fold of document.querySelectorAll("details, .toggle")) {
    if (fold.closest(".celsa-catalogue")) continue;
    fold.open = true;
    fold.classList.remove("toggle-hidden");
  }
});</script>"""


def build_pdf(root: Path) -> Path:
    """build/celsa.pdf of a book whose notebooks have run. Raises NotebookError."""
    page = whole_page(root / BUILD / "book", root / BUILD / "pdf")
    target = root / BUILD / "celsa.pdf"
    print_page(page, target)
    return target


def whole_page(source: Path, out: Path) -> Path:
    """One HTML file, in `out`, of the book with sources in `source`. Raises NotebookError.

    The builder writes it where the first page's source is, and links as from the top.
    """
    shutil.rmtree(out, ignore_errors=True)
    done = jupyter_book(source, out, "--builder", "singlehtml")
    _check(done, "the page with the whole book was not built")
    folder = out / "_build" / "singlehtml"
    text = (folder / "book" / "intro.html").read_text(encoding="utf-8")
    text = text.replace("</body>", f"{UNFOLD}\n</body>")
    return write_whole(folder / "whole.html", lambda file: file.write(text.encode()))


def print_page(page: Path, target: Path) -> None:
    """`page` as a PDF. Raises NotebookError, also where there is no Chromium."""
    chromium = find_chromium()
    if chromium is None:
        raise NotebookError(
            f"printing needs Chromium, and there is none of {', '.join(CHROMIUM)}; install it"
        )
    part = target.with_suffix(".part.pdf")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command += ["--virtual-time-budget=60000", f"--print-to-pdf={part}", page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True)
    _check(done, f"{page} was not printed")
    part.replace(target)


def find_chromium() -> str | None:
    """The browser's path, None where there is none."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def _check(done: subprocess.CompletedProcess, failed: str) -> None:
    if done.returncode:
        raise NotebookError(f"{failed}:\n" + "\n".join(done.stderr.splitlines()[-15:]))
