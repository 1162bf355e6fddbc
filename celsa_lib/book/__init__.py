"""Run notebooks and build the book from them."""

from celsa_lib.book.build import build_book
from celsa_lib.book.notebook import check_parameters, notebook_path, run_notebook
from celsa_lib.book.pdf import build_pdf

__all__ = ["build_book", "build_pdf", "check_parameters", "notebook_path", "run_notebook"]
