"""One question to an OpenAI-compatible chat API; errors are reported without the key."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from celsa_lib.errors import DescriberError
from celsa_lib.segments.naming.answers import leaks
from celsa_lib.segments.naming.prompt import INSTRUCTIONS, plain

OPENAI = "https://api.openai.com/v1"
ADDRESS = re.compile(r"https?://([\w.-]+|\[[0-9A-Fa-f:]+\])(:[1-9]\d{0,4})?(/[^@\s]*)?")
CHARACTERS_PER_TOKEN = 4  # of English text, roughly
NAME_TOKENS = 6
NO_KEY = "none"  # what a local server gets that asks for no key
# A model that thinks first takes a temperature only where thinking is switched off.
SWITCHES = {"gpt-6-luna": {"reasoning_effort": "none"}}
ADVICE = {
    400: "it may not take temperature 0; name another model",
    401: "check OPENAI_API_KEY",
    403: "check that OPENAI_API_KEY may use this model",
    404: "the model may be retired; name another with model=, for example gpt-6-luna",
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
    """What a model said, None for nothing; why it stopped ("stop" is good); what it used."""

    text: str | None
    reason: str
    usage: Usage


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
    return openai.OpenAI(
        base_url=_address(), api_key=_key(), timeout=timeout, max_retries=max_retries
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


def ask(client, model: str, message: str) -> Reply:
    """The reply to one group's message at temperature 0. Raises DescriberError, without the key."""
    try:
        completion = client.chat.completions.create(
            model=model,
            temperature=0,
            messages=[
                {"role": "system", "content": INSTRUCTIONS},
                {"role": "user", "content": message},
            ],
            **SWITCHES.get(model, {}),
        )
        choice, used = completion.choices[0], completion.usage
        tokens = (used.prompt_tokens, used.completion_tokens) if used else (0, 0)
        text, reason = choice.message.content, str(choice.finish_reason)
        return Reply(text and str(text), reason, Usage(1, *map(int, tokens)))
    except Exception as error:  # a bad server can make the client raise anything
        problem = _explain(error, client)
    # Raised outside of `except`: the client's error may have the key in it, and would be attached.
    raise DescriberError(f"{model} at {client.base_url.host} gave no name: {problem}")


def _explain(error: Exception, client) -> str:
    """What happened and what to do; the server's words on one line, left out if they leak."""
    import openai

    said = str(error.__cause__ or error)
    if isinstance(error, openai.APITimeoutError):
        advice = f"it took longer than {client.timeout:g} s; raise timeout, or try again later"
    elif isinstance(error, openai.APIConnectionError):
        advice = "check the network and OPENAI_BASE_URL"
    elif isinstance(error, openai.APIStatusError):
        other = "try again later" if error.status_code >= 500 else "check the request"
        advice = ADVICE.get(error.status_code, other)
    else:
        said = f"its answer is no chat completion ({type(error).__name__})"
        advice = "check that OPENAI_BASE_URL is the address of an OpenAI-compatible API"
    said = "its answer has the key in it" if leaks(said, client.api_key) else plain(said, 200)
    return f"{said}; {advice}"
