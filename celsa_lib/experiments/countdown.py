"""How far a run is, and how long the rest may take."""

import logging
from time import perf_counter

log = logging.getLogger(__name__)


class Countdown:
    """Says which of how many is done, and how long the others may take."""

    def __init__(self, what: str, number: int = 0):
        """`what`: "trial" or "model", as it is called in the log."""
        self.what, self.number, self.done, self.started = what, number, 0, perf_counter()

    def expect(self, more: int) -> None:
        """So many more are to be done than was known."""
        self.number += more

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        left = (perf_counter() - self.started) / self.done * (self.number - self.done)
        about = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
        log.info("%s %d of %d, about %s left", self.what, self.done, self.number, about)
