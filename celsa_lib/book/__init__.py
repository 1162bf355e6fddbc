"""Run notebooks and build the book from them. Without the extra `book`, raises ConfigError."""

import lazy_loader

from celsa_lib.errors import ConfigError

_attached, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": ["build_html"],
        "notebook": ["check_parameters", "notebook_path", "run_notebook"],
        "pdf": ["build_pdf"],
    },
)


def __getattr__(name: str):
    try:
        return _attached(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'notebooks and the book need {error.name}: pip install "celsa[book]"'
        ) from error
