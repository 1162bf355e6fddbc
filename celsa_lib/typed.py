"""Plain values checked by pydantic against the types of ours; what is wrong is said in a line."""

import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

from typing_extensions import TypedDict

from celsa_lib.errors import ConfigError, StorageError

FAULTS_SHOWN = 3  # faults that a message describes; the others are counted


class Marked(TypedDict):
    """What every JSON file of ours says of itself."""

    format: str
    version: int


def checked(kind: type, values: Any):
    """`values`, of JSON or TOML, as a `kind`: a dataclass, or a list of typed dictionaries.

    Raises ConfigError, naming the place of everything that is missing or of another type, and of
    what is unknown to a dataclass of ours.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(values)
    except ValidationError as error:
        faults = [_described(one) for one in error.errors()]
        more = f" and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise ConfigError(f"{_named(kind)}: {'; '.join(faults[:FAULTS_SHOWN])}{more}") from error


def parsed_json(text: str | bytes):
    """The value of a JSON text. Raises ValueError for anything else, nested too deep included."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def read_json(path: str | Path, kind: type, form: str, version: int, what: str, remedy: str):
    """What a JSON file of `what` holds, checked against a typed dictionary `kind`.

    It says its format and version. Raises StorageError, with what to do (`remedy`), for a file that
    is damaged or of another kind.
    """
    try:
        values = parsed_json(Path(path).expanduser().read_bytes())
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; check the path") from error
    except (OSError, ValueError) as error:
        wrong = f"{path} is not a file of {what}, or is damaged ({error})"
        raise StorageError(f"{wrong}; {remedy}") from error
    try:
        found = checked(Marked, values)
        if (found["format"], found["version"]) != (form, version):
            raise StorageError(
                f"{path} holds {found['format']} version {found['version']}, this celsa reads "
                f"{form} version {version}; name another file, or make it again"
            )
        checked(kind, values)
    except ConfigError as error:
        raise StorageError(f"{path} is not a file of {what} ({error}); {remedy}") from error
    return values


@cache
def _adapter(kind: type):
    from pydantic import TypeAdapter  # where plain values are read, and not before

    return TypeAdapter(kind)


def _named(kind: type) -> str:
    """A type's name, of a list that of its elements."""
    (of,) = get_args(kind) or (kind,)
    return of.__name__


def _described(error: dict) -> str:
    """A clause: what a check of ours said, or the place, what is wrong, and what was there."""
    cause = error.get("ctx", {}).get("error")
    if cause is not None:
        return str(cause)
    place = ".".join(str(part) for part in error["loc"])
    got = "" if error["type"] == "missing" else f", got {error['input']!r}"
    return f"{place}: {error['msg'].lower()}{got}"[:200]
