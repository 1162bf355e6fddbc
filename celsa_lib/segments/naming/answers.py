"""Answers of a language model: untrusted text, cleaned into names and kept as they come."""

import json
import re
import threading
import unicodedata
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.typed import checked, parsed_json

MAX_WORDS = 5
MAX_CHARACTERS = 48
PIECE = 8  # characters of a key that give it away; shorter keys are placeholders such as "none"

_LETTER = "A-Za-zÀ-ÖØ-öø-ž"  # the letters of Latin-1 and Latin Extended-A
_NAME = re.compile(rf"(?=.*[{_LETTER}])[{_LETTER}0-9]([{_LETTER}0-9 &'’,.-]*[{_LETTER}0-9])?")
_WEB_ADDRESS = re.compile(r"\.[A-Za-z]{2}")
_PREFIX = re.compile(r"^(segment|group|category)?\s*(name|label|title)?\s*:", re.IGNORECASE)
# What a model says about itself or its answer. A name that is lost to it ("I Am Legend") is made
# by the fallback instead.
_TALK = re.compile(
    r"\bi(['’](m|d|ll|ve)|,? (am|think|believe|guess|suggest|see|can|can(no|['’])t|could|would|will"
    r"|have|do|need))\b"
    r"|\b(here(['’]s| is| are)|(an?|the) (ai|assistant|language model)|let me)\b"
    r"|^(sure|certainly|of course|ok|okay|sorry|apologies|unfortunately)\b"
    r"|^(this|these|the (name|answer|group|segment))( \w+)? (is|are|share|seems?)\b",
    re.IGNORECASE,
)
_AROUND = " \t\r\n.'\"‘’“”„«»*`#_"  # quotes, and Markdown's marks
_THOUGHT = "</think>"  # ends what a model says to itself before it answers
LONGEST = 1000  # characters of an answer that is looked at: patterns would take long over more
HEADER = {"format": "celsa-answers", "version": 1}


def clean_name(answer: object, key: str = "") -> str | None:
    """The name in `answer`, or None where it is refused.

    Thoughts before </think>, quotes and Markdown's marks around it, a full stop and "Segment:" are
    taken off. What remains must be 1 to MAX_WORDS words of Latin letters, digits and & ' ’ - , . in
    at most MAX_CHARACTERS, on one line, without a web address or a piece of the API key, and no
    talk ("I think this is …").
    """
    if not isinstance(answer, str):
        return None
    said = answer.rpartition(_THOUGHT)[2].strip(_AROUND)
    if len(said) > LONGEST:
        return None
    text = _PREFIX.sub("", said, count=1).strip(_AROUND)
    if len(text.splitlines()) != 1 or leaks(text, key):
        return None
    name = " ".join(text.split())
    fits = len(name) <= MAX_CHARACTERS and len(name.split()) <= MAX_WORDS
    refused = _WEB_ADDRESS.search(name) or _TALK.search(name)
    return name if fits and _NAME.fullmatch(name) and not refused else None


def leaks(text: str, key: str) -> bool:
    """Whether `text` has PIECE or more characters of the key in a row, in any case and whatever
    blanks or characters of no width stand between them.
    """
    text, key = _bare(text), _bare(key)
    return any(key[start : start + PIECE] in text for start in range(len(key) - PIECE + 1))


def _bare(text: str) -> str:
    """`text` in small letters, without blanks, control characters and those of no width."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(c for c in plain if unicodedata.category(c)[0] not in "CZ").casefold()


@dataclass(frozen=True)
class Answer:
    """The answer to the question `key`: a name, None where it was refused; by whom; the day."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    key: str
    model: str
    label: str | None
    date: str

    def __post_init__(self):
        if not all(isinstance(part, str) for part in (self.key, self.model, self.date)):
            raise ConfigError("key, model and date must be text")
        if self.label is not None and clean_name(self.label) != self.label:
            raise ConfigError(
                f"{ascii(self.label)[:80]} is no name: it must be up to {MAX_WORDS} words and "
                f"{MAX_CHARACTERS} Latin letters, digits, spaces and & ' - , ."
            )


class AnswerCache:
    """Answers by `prompt.answer_key`, in memory and in a JSON Lines file that need not exist yet.

    A last line cut short by a kill is ignored, and removed at the next `add`. Threads may share
    one, processes may not. Raises StorageError for a file of another format, or one that cannot be
    read or written.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()
        self._answers: dict[str, Answer] = {}
        self._lock = threading.Lock()
        # What the next `add` does first: cut the file to this length, and write these bytes.
        self._repair: tuple[int, bytes] | None = self._load()

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
        """Keep an answer of today; `label` None says that it was refused. Raises ConfigError."""
        answer = Answer(key, model, label, datetime.now(UTC).date().isoformat())
        with self._lock:
            self._append(_line(asdict(answer)))
            self._answers[key] = answer

    def _append(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                if self._repair:
                    end, missing = self._repair
                    file.truncate(end)
                    line = missing + line
                file.write(line)
            self._repair = None
        except OSError as error:
            raise StorageError(
                f"cannot write {self.path}: {error}; choose a file you can write to"
            ) from error

    def _load(self) -> tuple[int, bytes] | None:
        """Read the file; what is to be repaired in it, None where all its lines are whole."""
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read ({error}); name another") from error
        if _line(HEADER).startswith(content):  # a new file, or one killed in its first line
            return 0, _line(HEADER)
        tail = content.rpartition(b"\n")[2]
        missing = b"" if _parsed(tail) is None else b"\n"  # an editor may end no last line
        end = len(content) if missing else len(content) - len(tail)
        first, *lines = content[:end].splitlines() or [b""]
        if _parsed(first) != HEADER:
            raise StorageError(f"{self.path} does not begin with {HEADER}; name another file")
        for number, line in enumerate(lines, start=2):
            self._keep(line, number)
        return (end, missing) if tail else None

    def _keep(self, line: bytes, number: int) -> None:
        try:
            answer = checked(Answer, parsed_json(line))
        except (ValueError, ConfigError) as error:
            raise StorageError(
                f"{self.path}, line {number}: no answer ({error}); correct or remove the line"
            ) from error
        self._answers[answer.key] = answer


def _line(content: dict) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def _parsed(line: bytes):
    """The JSON value of a line, None where it is torn."""
    try:
        return parsed_json(line)
    except ValueError:
        return None
