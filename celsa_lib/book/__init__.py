"""Run notebooks and build the book from them. Without the extra `book`, raises ConfigError."""

from celsa_lib.errors import ConfigError

try:
    from celsa_lib.book.build import build_book
    from celsa_lib.book.notebook import check_parameters, notebook_path, run_notebook
    from celsa_lib.book.pdf import build_pdf
except ModuleNotFoundError as error:
    raise ConfigError(
        f'notebooks and the book need {error.name}: pip install "celsa[book]"'
    ) from error

__all__ = ["build_book", "build_pdf", "check_parameters", "notebook_path", "run_notebook"]
