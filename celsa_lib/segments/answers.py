"""An answer of a language model is untrusted text: what may become a name, and what may not."""

import re

MAX_WORDS = 5
MAX_CHARACTERS = 48
PIECE = 8  # characters of a key that give it away; shorter keys are placeholders such as "none"

_LETTER = "A-Za-zÀ-ÖØ-öø-ž"  # the letters of Latin-1 and Latin Extended-A
_NAME = re.compile(rf"(?=.*[{_LETTER}])[{_LETTER}0-9]([{_LETTER}0-9 &'’,.-]*[{_LETTER}0-9])?")
_WEB_ADDRESS = re.compile(r"\.[A-Za-z]{2}")
_PREFIX = re.compile(r"(segment|group|category)?\s*(name|label|title)?\s*:", re.IGNORECASE)
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
_AROUND = " \t\r\n.'\"‘’“”„«»"


def clean_name(answer: object, key: str = "") -> str | None:
    """The name in `answer`, or None where it is refused.

    Surrounding quotes, a full stop and "Segment:" are taken off. What remains must be 1 to
    MAX_WORDS words of Latin letters, digits and & ' ’ - , . in at most MAX_CHARACTERS, on one
    line, without a web address or a piece of the API key, and no talk ("I think this is …").
    """
    if not isinstance(answer, str):
        return None
    text = answer.strip(_AROUND)
    text = text[_prefix_length(text) :].strip(_AROUND)
    if len(text.splitlines()) != 1 or leaks(text, key):
        return None
    name = " ".join(text.split())
    fits = len(name) <= MAX_CHARACTERS and len(name.split()) <= MAX_WORDS
    refused = _WEB_ADDRESS.search(name) or _TALK.search(name)
    return name if fits and _NAME.fullmatch(name) and not refused else None


def _prefix_length(text: str) -> int:
    match = _PREFIX.match(text)
    return match.end() if match else 0


def leaks(text: str, key: str) -> bool:
    """Whether `text` has PIECE or more characters of the key in a row, in any case."""
    text, key = text.casefold(), key.casefold()
    return any(key[start : start + PIECE] in text for start in range(len(key) - PIECE + 1))
