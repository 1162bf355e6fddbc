"""What naming costs: tokens, and dollars where the model's price is known."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from celsa_lib.segments.prompt import INSTRUCTIONS

CHARACTERS_PER_TOKEN = 4  # of English text, roughly
NAME_TOKENS = 6
# Dollars per million tokens in and out, as listed in October 2026 at
# https://developers.openai.com/api/docs/pricing
PRICES = {
    "gpt-4.1-nano": (0.10, 0.40),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-6-luna": (0.10, 0.50),
}


@dataclass(frozen=True)
class Cost:
    """Tokens in and out, and dollars, of a number of requests to a model."""

    model: str
    requests: int
    tokens_in: int
    tokens_out: int

    @classmethod
    def estimated(cls, model: str, messages: Iterable[str]) -> "Cost":
        """Before asking: from the lengths of the messages."""
        lengths = [len(INSTRUCTIONS) + len(message) for message in messages]
        tokens = sum(length // CHARACTERS_PER_TOKEN + 1 for length in lengths)
        return cls(model, len(lengths), tokens, NAME_TOKENS * len(lengths))

    @classmethod
    def spent(cls, model: str, tokens: list[tuple[int, int]]) -> "Cost":
        """After asking: from the tokens in and out that each answer reports."""
        tokens_in, tokens_out = (sum(pair[side] for pair in tokens) for side in (0, 1))
        return cls(model, len(tokens), tokens_in, tokens_out)

    def __add__(self, other: "Cost") -> "Cost":
        """Of both, at the same model."""
        requests = self.requests + other.requests
        tokens_in, tokens_out = self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out
        return Cost(self.model, requests, tokens_in, tokens_out)

    @property
    def dollars(self) -> float | None:
        """None where the price of the model is not known."""
        price = PRICES.get(re.sub(r"-\d{4}-\d\d-\d\d$", "", self.model))
        return price and (self.tokens_in * price[0] + self.tokens_out * price[1]) / 1e6

    def __str__(self) -> str:
        price = "price not known" if self.dollars is None else f"${self.dollars:.6f}"
        tokens = f"tokens {self.tokens_in:,} in and {self.tokens_out:,} out"
        return f"{self.model}: requests {self.requests:,}, {tokens}, {price}"
