"""Run notebooks and build the book from them. Without the extra `book`, raises ConfigError."""

from celsa_lib.extras import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "build": ["build_html"],
        "notebook": ["check_parameters", "notebook_path", "run_notebook"],
        "pdf": ["build_pdf"],
        "serve": ["book_server", "served_at"],
    },
    extra="book",
    what="notebooks and the book",
)
