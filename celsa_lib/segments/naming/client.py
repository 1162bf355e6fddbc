"""One question to an OpenAI-compatible chat API; errors are reported without the key."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from time import sleep

from celsa_lib.errors import DescriberError
from celsa_lib.segments.naming.answers import leaks
from celsa_lib.segments.naming.bounds import bounded_client
from celsa_lib.segments.naming.prompt import INSTRUCTIONS, plain

OPENAI = "https://api.openai.com/v1"
ADDRESS = re.compile(r"https?://([\w.-]+|\[[0-9A-Fa-f:]+\])(:[1-9]\d{0,4})?(/[^@\s]*)?")
CHARACTERS_PER_TOKEN = 4  # of English text, roughly
NAME_TOKENS = 6
PAUSES = (1, 2, 4, 8, 16)  # seconds before an answer that holds an error is asked for again
NO_KEY = "none"  # what a local server gets that asks for no key
# A model that thinks first takes a temperature only where thinking is switched off.
SWITCHES = {"gpt-6-luna": {"reasoning_effort": "none"}}
ADVICE = {
    400: "it may not take such a request; name another model",
    401: "check OPENAI_API_KEY",
    403: "check that OPENAI_API_KEY may use this model",
    404: "does OPENAI_BASE_URL end in /v1? Or the model may be retired; name another with model=, "
    "for example gpt-6-luna",
    429: "lower per_minute, or check your quota",
}


@dataclass(frozen=True)
class Usage:
    """A number of requests and their tokens: times a model's prices, what naming costs."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @classmethod
    def expected(cls, messages: Iterable[str]) -> "Usage":
        """Of asking `messages`, from their lengths."""
        lengths = [len(INSTRUCTIONS) + len(message) for message in messages]
        tokens = sum(length // CHARACTERS_PER_TOKEN + 1 for length in lengths)
        return cls(len(lengths), tokens, NAME_TOKENS * len(lengths))

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
        )

    def __str__(self) -> str:
        tokens = f"tokens {self.tokens_in:,} in and {self.tokens_out:,} out"
        return f"requests {self.requests:,}, {tokens}"


@dataclass(frozen=True)
class Reply:
    """What a model said, None for nothing; why it stopped, in the server's word; what it used."""

    text: str | None
    reason: str
    usage: Usage

    @property
    def is_whole(self) -> bool:
        """Whether the model ended by itself: servers have many words for that, two for others."""
        return self.reason not in ("length", "content_filter")


def connect(timeout: float, max_retries: int):
    """An `openai.OpenAI` for OPENAI_BASE_URL, by default OpenAI's own, and OPENAI_API_KEY.

    `timeout` in seconds. It tries again on 429 (after Retry-After), 5xx and timeouts. Raises
    DescriberError under CELSA_OFFLINE=1, without the package, the key, or a usable address.
    """
    if os.environ.get("CELSA_OFFLINE") == "1":
        raise DescriberError(
            "CELSA_OFFLINE=1 forbids asking a language model: unset it, or use a describer that "
            "needs none"
        )
    try:
        import openai
    except ImportError as error:
        raise DescriberError("openai is not installed; run `pip install celsa[text]`") from error
    address, key = _address(), _key()
    try:
        http = bounded_client(openai.DefaultHttpxClient, timeout)
    except ValueError as error:  # of httpx, for HTTP_PROXY and its like
        raise DescriberError(
            "a proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names is no address such as "
            "http://127.0.0.1:3128; correct or unset it"
        ) from error
    return openai.OpenAI(
        base_url=address, api_key=key, timeout=timeout, max_retries=max_retries, http_client=http
    )


def _address() -> str:
    address = os.environ.get("OPENAI_BASE_URL", "").strip() or OPENAI
    if not ADDRESS.fullmatch(address):  # a password in it would reach logs
        raise DescriberError(
            "OPENAI_BASE_URL is no address such as http://127.0.0.1:8000/v1, without a user or "
            "password; correct it, or unset it for OpenAI's own"
        )
    return address


def _key() -> str:
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and not os.environ.get("OPENAI_BASE_URL", "").strip():
        raise DescriberError(
            "there is no API key: set OPENAI_API_KEY, or OPENAI_BASE_URL for a local server"
        )
    if not (key.isascii() and key.isprintable()):
        raise DescriberError("OPENAI_API_KEY has characters that no key has; paste it again")
    return key or NO_KEY


class ErrorInside(Exception):
    """An error that a server has put into an answer of status 200, with a code of its own."""

    def __init__(self, error: dict):
        code = str(error.get("code"))
        self.status_code = int(code) if code.isascii() and code.isdecimal() else 0
        super().__init__(str(error.get("message") or "it gave no reason"))


class Chat:
    """Questions to `model` through `client`, at temperature 0 where the server allows it."""

    def __init__(self, client, model: str):
        self.client, self.model = client, model
        self.options = {"temperature": 0} | SWITCHES.get(model, {})

    def ask(self, message: str) -> Reply:
        """The reply to one group's message. Raises DescriberError, without the key.

        The client itself tries again on an error of the server; this does where it stands in an
        answer.
        """
        for pause in (*PAUSES[: self.client.max_retries], None):
            try:
                return self._reply(message)
            except Exception as error:  # a bad server can make the client raise anything
                problem = _explain(error, self.client)
                passing = isinstance(error, ErrorInside) and _may_pass(error.status_code)
            if pause is None or not passing:
                break
            sleep(pause)
        # Raised outside of `except`: the client's error may have the key in it, and would be
        # attached.
        host = self.client.base_url.host
        raise DescriberError(f"{self.model} at {host} gave no name: {problem}")

    def _reply(self, message: str) -> Reply:
        completion = self._completion(message)
        if not completion.choices and getattr(completion, "error", None):
            raise ErrorInside(dict(completion.error))
        choice, used = completion.choices[0], completion.usage
        tokens = (used.prompt_tokens, used.completion_tokens) if used else (0, 0)
        text, reason = choice.message.content, str(choice.finish_reason)
        return Reply(text and str(text), reason, Usage(1, *(int(n or 0) for n in tokens)))

    def _completion(self, message: str):
        """What the server answers; a second time, without a temperature that it has refused."""
        import openai

        messages = [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": message},
        ]
        create = self.client.chat.completions.create
        try:
            return create(model=self.model, messages=messages, **self.options)
        except openai.BadRequestError as error:
            if "temperature" not in self.options or "temperature" not in str(error).lower():
                raise
        self.options = {name: v for name, v in self.options.items() if name != "temperature"}
        return create(model=self.model, messages=messages, **self.options)


def _may_pass(status: int) -> bool:
    """Whether an error of this status may be gone after a while."""
    return status == 429 or status >= 500


def _explain(error: Exception, client) -> str:
    """What happened and what to do; the server's words on one line, left out if they leak."""
    import openai

    said = str(error.__cause__ or error)
    if isinstance(error, openai.APITimeoutError):
        advice = f"it took longer than {client.timeout:g} s; raise timeout, or try again later"
    elif isinstance(error, openai.APIConnectionError):
        advice = "check the network and OPENAI_BASE_URL"
    elif isinstance(error, (openai.APIStatusError, ErrorInside)):
        other = "try again later" if _may_pass(error.status_code) else "check the request"
        advice = ADVICE.get(error.status_code, other)
    else:
        said = f"its answer is no chat completion ({type(error).__name__})"
        advice = "check that OPENAI_BASE_URL is the address of an OpenAI-compatible API"
    said = "its answer has the key in it" if leaks(said, client.api_key) else plain(said, 200)
    return f"{said}; {advice}"
