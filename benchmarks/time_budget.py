"""A benchmark that ends in time: each part has its seconds, and the system ends what hangs."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator


class TimeBudget:
    """`total` seconds from now on; `clock`: what tells them."""

    def __init__(self, total: float, clock: Callable[[], float] = time.perf_counter):
        self.clock, self.begun, self.total = clock, clock(), total

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.begun + self.total - self.clock()

    def part(self, name: str, seconds: float, rows: Iterable[dict]) -> Iterator[dict]:
        """`rows`, measured as they are taken, until the part has had its `seconds`.

        No row is begun after that: another says that the rest of the part is left out. What a
        part does not use is left for the others.
        """
        end, rows = self.clock() + min(seconds, self.left), iter(rows)
        while self.clock() < end:
            row = next(rows, None)
            if row is None:
                return
            yield row
        yield {"section": "left out", "part": name, "after": round(seconds)}


def end_process_after(seconds: int) -> None:
    """Let the system end this process then, whatever it waits for; it knows nothing of Python."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
