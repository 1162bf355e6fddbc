"""Answers on disk, a line each as they come, so that a run that was killed goes on from them."""

import json
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.files import write_whole
from celsa_lib.segments.answers import MAX_CHARACTERS, MAX_WORDS, clean_name

HEADER = {"format": "celsa-answers", "version": 1}


@dataclass(frozen=True)
class Answer:
    """A name, or None where the answer was refused; who gave it; the day, as YYYY-MM-DD."""

    model: str
    label: str | None
    date: str

    def __post_init__(self):
        if not isinstance(self.model, str) or not isinstance(self.date, str):
            raise ConfigError("model and date must be text")
        if self.label is not None and clean_name(self.label) != self.label:
            raise ConfigError(
                f"{ascii(self.label)[:80]} is no name: it must be up to {MAX_WORDS} words and "
                f"{MAX_CHARACTERS} Latin letters, digits, spaces and & ' - , ."
            )


class AnswerCache:
    """Answers by `answer_key`, in memory and in a JSON Lines file that need not exist yet.

    A last line cut short by a kill is ignored, and removed at the next `add`. Threads may share
    one, processes may not. Raises StorageError for a file of another format, or one that cannot be
    read or written.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._answers: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._whole = self.path.exists() and self._load()

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def models(self) -> list[str]:
        """Who gave the answers, in the order of the file."""
        return list(dict.fromkeys(answer.model for answer in self._answers.values()))

    def get(self, key: str) -> Answer | None:
        """The answer kept under `key`, if any."""
        return self._answers.get(key)

    def add(self, key: str, model: str, label: str | None) -> None:
        """Keep an answer of today; `label` None says that it was refused."""
        answer = Answer(model, label, datetime.now(UTC).date().isoformat())
        with self._lock:
            if not self._whole:
                lines = [_line(HEADER), *(_entry(*pair) for pair in self._answers.items())]
                write_whole(self.path, lambda file: file.writelines(lines))
                self._whole = True
            self._append(_entry(key, answer))
            self._answers[key] = answer

    def _append(self, line: bytes) -> None:
        try:
            with open(self.path, "ab") as file:
                file.write(line)
        except OSError as error:
            raise StorageError(
                f"cannot write {self.path}: {error}; choose a file you can write to"
            ) from error

    def _load(self) -> bool:
        """Read the file; whether its last line is whole."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read ({error}); name another") from error
        tail = lines.pop()  # empty, or cut short, or by an editor that ends no last line
        if _is_json(tail):
            lines.append(tail)
        if not lines or not _is_json(lines[0]) or json.loads(lines[0]) != HEADER:
            raise StorageError(f"{self.path} does not begin with {HEADER}; name another file")
        for number, line in enumerate(lines[1:], start=2):
            try:
                entry = json.loads(line)
                key = entry.pop("key")
                self._answers[key] = Answer(**entry)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise StorageError(
                    f"{self.path}, line {number}: no answer ({error}); correct or remove the line"
                ) from error
        return tail == b""


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _entry(key: str, answer: Answer) -> bytes:
    return _line({"key": key, **asdict(answer)})


def _line(content: dict) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
