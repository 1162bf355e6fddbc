"""Errors a user can act on: each message says what was wrong, where, and what to do."""

from math import inf
from numbers import Integral, Real

LONGEST_ID = 1000  # characters of an id of an item or a user
SHOWN = 60  # letters of a wrong value that a message shows
MOST = 2**31 - 1  # that 32 bits count: places in rows and columns have no more


class CelsaError(Exception):
    """Base of every error celsa raises on purpose."""


class ConfigError(CelsaError, ValueError):
    """A parameter is unknown, of the wrong type, or out of its range."""


class DataError(CelsaError, ValueError):
    """Input data is missing a column, malformed, or empty after filtering."""


class DatasetNotFoundError(CelsaError, LookupError):
    """No dataset of that name, or its files are not where they were looked for."""


class DownloadError(CelsaError, OSError):
    """A download failed: no network, wrong checksum, or a folder that cannot be written."""


class NotFittedError(CelsaError, RuntimeError):
    """A model was asked for scores before `fit`."""


class StorageError(CelsaError, OSError):
    """A file of ours cannot be read or written: truncated, of another version, or forbidden."""


class ProcessError(CelsaError, RuntimeError):
    """This process cannot compute: it was forked from one whose threads it lacks."""


class NotebookError(CelsaError, RuntimeError):
    """A notebook failed: the message names the notebook and the cell."""


class TrainingError(CelsaError, ArithmeticError):
    """Training left the finite numbers: the message names the stage and epoch."""


class DescriberError(CelsaError, RuntimeError):
    """Segments got no names: no key, no network, or a server that refuses or fails."""


def check_positive(**parameters: float) -> None:
    """Raise ConfigError for a parameter that is not a finite number above 0."""
    for name, value in parameters.items():
        if not isinstance(value, Real) or isinstance(value, bool) or not 0 < value < inf:
            raise ConfigError(f"{name} must be a finite number above 0, got {plainly(value)}")


def check_share(**parameters: float) -> None:
    """Raise ConfigError for a parameter that is not a share from 0 up to, but not, 1."""
    for name, value in parameters.items():
        if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value < 1:
            raise ConfigError(f"{name} is a share from 0 up to 1, not {plainly(value)}")


def check_count(least: int = 1, most: int = MOST, **parameters: int) -> None:
    """Raise ConfigError for a parameter that is not a whole number from `least` to `most`."""
    for name, value in parameters.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ConfigError(
                f"{name} must be a whole number, at least {least}, got {plainly(value)}"
            )
        if value > most:
            raise ConfigError(f"{name} must be at most {most:,}, got {plainly(value)}")


def check_seed(seed: int) -> None:
    """Raise ConfigError for what seeds no generator: they take 64 bits."""
    check_count(0, 2**64 - 1, seed=seed)


def check_between(low: float, high: float, **parameters: float) -> None:
    """Raise ConfigError for a parameter that is not a number from `low` to `high`."""
    for name, value in parameters.items():
        if not isinstance(value, Real) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigError(
                f"{name} must be a number from {low:g} to {high:g}, got {plainly(value)}"
            )


def plainly(value) -> str:
    """A value for a message: a number of NumPy as a number, and what is long cut."""
    text = repr(
        value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
    )
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
