"""What an engine does: hold rows by number, and find the best of them for a user's latents."""

import json
import re
import shutil
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import StorageError
from celsa_lib.files import alone_with, write_whole

MARKER = "celsa.json"  # in the folder of an engine: what it holds
VECTOR = "latents"  # what an engine calls the vectors, where it wants a name
EFFORT = 200  # least number of candidates that a graph is searched with


@dataclass(frozen=True)
class Batch:
    """Rows `start` and on (rows × width), each with its item's id, title and input scale.

    titles, input_scales: None where there are none.
    """

    start: int
    rows: csr_matrix
    item_ids: list
    titles: list[str] | None = None
    input_scales: list[float] | None = None

    def sparse(self):
        """(number, item's place in this batch, indices, values) of each row, as lists."""
        bounds = self.rows.indptr
        for place in range(self.rows.shape[0]):
            stored = slice(bounds[place], bounds[place + 1])
            indices, values = self.rows.indices[stored], self.rows.data[stored]
            yield self.start + place, place, indices.tolist(), values.tolist()

    def beside(self, place: int) -> dict:
        """What is kept with the item at a place: item_id, title and input_scale as there are."""
        found = {"item_id": self.item_ids[place]}
        if self.titles is not None:
            found["title"] = self.titles[place]
        if self.input_scales is not None:
            found["input_scale"] = self.input_scales[place]
        return found


class Engine(ABC):
    """Rows numbered from 0, of `width` latents, at a `place`; `digest` says which rows these are.

    Either it holds them already and is attached, or they are added, batch by batch, from begin to
    finish. Until then it answers from what it held before.
    """

    def __init__(self, place: Path | str | None, width: int, digest: str, table: str):
        """Nothing is opened or written yet, except that a server is asked for a connection."""
        self.place, self.width, self.digest, self.table = place, width, digest, table

    def held(self) -> str | None:
        """The digest of what it answers from, None where that is nothing."""
        return None

    def attach(self) -> None:  # noqa: B027 (what has an open connection is ready)
        """Make ready to answer from what is held."""

    def alone(self) -> AbstractContextManager:
        """Inside, no other process fills it. Raises StorageError where one does."""
        return nullcontext()

    @abstractmethod
    def begin(self) -> None:
        """Make ready for rows: beside those that are held, and after those of a killed load."""

    def count(self) -> int:
        """Rows added so far, those of a killed load included."""
        return 0

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Add rows, or write them again."""

    @abstractmethod
    def finish(self) -> None:
        """Answer from the rows that were added; what was held before goes."""

    @abstractmethod
    def ask(
        self, latents: csr_matrix, n: int, out: np.ndarray, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(numbers, scores) of the at most `n` best rows for `latents` (1 × width), best first.

        Without rows `out`, or among rows `only`; an engine that does not filter ignores both.
        """

    def close(self) -> None:  # noqa: B027 (what is in memory goes with it)
        """Let go of files and connections."""


class MemoryEngine(Engine):
    """An engine whose index is built in memory from all rows at once: `build`."""

    def begin(self) -> None:
        self._batches = []

    def add(self, batch: Batch) -> None:
        self._batches.append(batch.rows)

    def finish(self) -> None:
        from scipy.sparse import vstack

        self.build(csr_matrix(vstack(self._batches, format="csr")))
        del self._batches

    @abstractmethod
    def build(self, rows: csr_matrix) -> None:
        """Make the index of `rows` (items × width, CSR float32)."""


class FolderEngine(Engine):
    """An engine with files: those of one set of rows are in a folder named by their digest.

    A marker names the set that answers. So a killed load leaves the former answers, and goes on.
    """

    @property
    def folder(self) -> Path:
        """Where the files of these rows are."""
        return Path(self.place) / f"rows-{self.digest}"

    def held(self) -> str | None:
        try:
            marker = json.loads((Path(self.place) / MARKER).read_text(encoding="utf-8"))
            engine, digest = marker["engine"], marker["digest"]
            is_there = (Path(self.place) / marker["rows"]).is_dir()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{self.place}/{MARKER} cannot be read; name another folder, or delete it"
            ) from error
        if engine != type(self).__name__:
            raise StorageError(f"{self.place} has rows of another engine; name another folder")
        return digest if is_there else None

    def attach(self) -> None:
        self.connect()

    def alone(self) -> AbstractContextManager:
        return alone_with(Path(self.place) / "rows")

    def begin(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot write in {self.place}: {error}; name a folder you can write to"
            ) from error
        self.connect()

    @abstractmethod
    def connect(self) -> None:
        """Open what is in `folder`, or make it where there is nothing."""

    def finish(self) -> None:
        marker = {"engine": type(self).__name__, "digest": self.digest, "rows": self.folder.name}
        marker = json.dumps(marker)
        write_whole(Path(self.place) / MARKER, lambda file: file.write(marker.encode()))
        for other in Path(self.place).iterdir():
            if re.fullmatch(r"rows-[0-9a-f]{16}", other.name) and other != self.folder:
                shutil.rmtree(other)


def as_answer(numbers: list[int], scores: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """An answer as arrays: numbers (int64), scores (float32)."""
    return np.asarray(numbers, dtype=np.int64), np.asarray(scores, dtype=np.float32)
