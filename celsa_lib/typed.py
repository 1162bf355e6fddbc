"""Plain values checked by pydantic against the types of ours; what is wrong is said in a line."""

from functools import cache
from typing import Any, get_args

from celsa_lib.errors import ConfigError

FAULTS_SHOWN = 3  # faults that a message describes; the others are counted


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
