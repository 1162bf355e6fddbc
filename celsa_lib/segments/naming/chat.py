"""Segment names from a language model, asked once and kept."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from time import monotonic, sleep

import numpy as np
import pandas as pd
from tqdm import tqdm

from celsa_lib.errors import check_count, check_positive
from celsa_lib.segments.defaults import PAPER_MODEL
from celsa_lib.segments.naming.answers import AnswerCache, clean_name, leaks
from celsa_lib.segments.naming.client import Chat, Usage, connect
from celsa_lib.segments.naming.describer import Describer, Label
from celsa_lib.segments.naming.prompt import answer_key, group_messages
from celsa_lib.segments.naming.replay import labels_from

log = logging.getLogger(__name__)


@dataclass
class ChatDescriber:
    """Names groups by `model` at temperature 0, through an OpenAI-compatible chat API.

    The address and key come from OPENAI_BASE_URL and OPENAI_API_KEY. Answers are kept in `cache`
    as they come and never asked for again; one that was refused (`clean_name`) is, by the next
    describer, and until then its group has the name that `fallback` gives it. The default is the
    paper's model, which OpenAI retired: name another, or a local server's.

    timeout: seconds per answer. per_minute: the most requests begun per minute.
    After `describe`: the usage expected (`estimate`) and `spent`, and how many names were
    `refused`; `total` is what all calls so far spent, since naming and merging takes several.
    """

    fallback: Describer
    cache: AnswerCache
    model: str = PAPER_MODEL
    timeout: float = 60.0
    max_retries: int = 5
    per_minute: int | None = None
    workers: int = 4
    progress: bool = True
    estimate: Usage = field(default=Usage(), init=False)
    spent: Usage = field(default=Usage(), init=False)
    total: Usage = field(default=Usage(), init=False)
    refused: int = field(default=0, init=False)
    _asked: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self):
        check_positive(timeout=self.timeout)
        check_count(workers=self.workers)
        check_count(0, max_retries=self.max_retries)
        if self.per_minute is not None:
            check_count(per_minute=self.per_minute)

    def describe(self, groups: Sequence[np.ndarray], items: pd.DataFrame) -> list[Label]:
        """A label for each group of positions in `items`. Raises DescriberError, StorageError.

        After an error or a kill, calling it again asks only for what is missing.
        """
        messages = group_messages(groups, items)
        keys = [answer_key(self.model, message) for message in messages]
        missing = {k: m for k, m in zip(keys, messages, strict=True) if self._is_open(k)}
        self.estimate, self.spent = Usage.expected(missing.values()), Usage()
        if missing:
            self._ask_all(missing)
        answers = [self.cache.get(key) for key in keys]
        self.refused = sum(answer.label is None for answer in answers)
        if answers and self.refused == len(answers):
            log.warning("all %d answers of %s were refused: no name is its own; see the warnings "
                        "above, or name another model", self.refused, self.model)  # fmt: skip
        else:
            log.info("answers refused: %d of %d", self.refused, len(answers))
        return labels_from(answers, groups, items, self.fallback)

    def _is_open(self, key: str) -> bool:
        """Whether to ask: nothing is kept, or an answer that was refused before this describer."""
        answer = self.cache.get(key)
        return answer is None or (answer.label is None and key not in self._asked)

    def _ask_all(self, missing: dict[str, str]) -> None:
        """Ask for the message under each key, some at a time; stop at the first that fails."""
        client = connect(self.timeout, self.max_retries)
        log.info("about to ask %s: %s", self.model, self.estimate)
        pace = _Pace(self.per_minute)
        pool, chat = ThreadPoolExecutor(self.workers), Chat(client, self.model)
        futures = [pool.submit(self._ask, chat, pace, *pair) for pair in missing.items()]
        try:
            bar = tqdm(as_completed(futures), "names", len(futures), disable=not self.progress)
            for future in bar:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)  # what is under way ends, and is kept
            client.close()
            done = [f.result() for f in futures if not f.cancelled() and f.exception() is None]
            self.spent = sum(done, start=Usage())
            self.total += self.spent
            kept = f"; answers are kept in {self.cache.path}" if done else ""
            log.info("asked %s: %s%s", self.model, self.spent, kept)

    def _ask(self, chat: Chat, pace: "_Pace", key: str, message: str) -> Usage:
        """Ask for one name and keep it, or that it was refused."""
        pace.wait()
        reply, api_key = chat.ask(message), chat.client.api_key
        name = clean_name(reply.text, api_key) if reply.is_whole else None
        if name is None:
            said = f"{reply.reason}: {reply.text or ''}"
            shown = "it has the key in it" if leaks(said, api_key) else ascii(said[:80])
            log.warning("answer of %s refused (%s)", self.model, shown)
        self.cache.add(key, self.model, name)
        self._asked.add(key)
        return reply.usage


class _Pace:
    """Lets threads pass at even times, `per_minute` at most; None does not hold them."""

    def __init__(self, per_minute: int | None):
        self._gap = 60 / per_minute if per_minute else 0.0
        self._next = monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            turn = max(self._next, monotonic())
            self._next = turn + self._gap
        sleep(max(0.0, turn - monotonic()))
