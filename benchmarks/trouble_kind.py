"""A trouble that users of another package have reported, made here; and what the cases share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import celsa_lib as cl
from celsa_lib.errors import CelsaError, plainly

SHOWN = 160  # letters of a message that are kept as what came of a trouble


@dataclass(frozen=True)
class Trouble:
    """source: who reported it, as owner/repository#number; what: the trouble in words.

    `meet(folder)` makes it in an empty folder and says what came. It raises AssertionError where
    that is wrong. right: what ought to come. slow: it starts processes.
    """

    kind: str
    source: str
    what: str
    right: str
    meet: Callable[[Path], str]
    slow: bool = False


def refusal(compute: Callable, *words: str) -> str:
    """The error by which `compute` is refused; it has all of `words`."""
    try:
        found = compute()
    except CelsaError as error:
        text = " ".join(str(error).split())
        missing = [word for word in words if word not in text]
        assert not missing, f"the message lacks {missing}: {text}"
        return text[:SHOWN]
    raise AssertionError(f"it was accepted: {plainly(found)}")


def written_table(folder: Path, text: str, name: str = "mine.csv", encoding: str = "utf-8") -> Path:
    """A text file of someone's own."""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read_table_of(folder: Path, text: str, **options) -> "cl.Dataset":
    """That text as a file of interactions, every user kept."""
    path = written_table(folder, text, encoding=options.pop("bytes_in", "utf-8"))
    return cl.load_interactions(path, **{"min_user_interactions": 1} | options)


def equal(found, wanted) -> str:
    """What was found, in words. Raises AssertionError where it is something else."""
    found = found.tolist() if hasattr(found, "tolist") else found
    assert found == wanted, f"{found!r}, not {wanted!r}"
    return plainly(found)
