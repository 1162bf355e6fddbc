"""Contenders in processes of their own that take turns, so that all meet the same machine."""

import contextlib
import io
import multiprocessing
import time
from pathlib import Path

import numpy as np


class Worker:
    """A process that makes `make(*arguments)` and then steps it on demand."""

    def __init__(self, make, *arguments):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self.process.start()

    def seconds(self) -> float:
        """Time of one step."""
        return self._ask("step")

    def close(self) -> float:
        """End the process; its peak memory in GiB."""
        peak = self._ask("stop")
        self.process.join()
        return peak

    def _ask(self, what: str) -> float:
        self.connection.send(what)
        answer = self.connection.recv()
        if isinstance(answer, str):
            raise SystemExit(f"a contender failed: {answer}")
        return answer


def _serve(connection, make, arguments) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            contender = make(*arguments)
            while connection.recv() == "step":
                start = time.perf_counter()
                contender.step()
                connection.send(time.perf_counter() - start)
        connection.send(peak_gib())
    except Exception as error:
        connection.send(repr(error))


def peak_gib() -> float:
    """Peak memory of this process (ru_maxrss would start from that of its parent)."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 2**20


def take_turns(names: list[str], make, arguments: tuple, rounds: int) -> dict[str, dict]:
    """Each name's times over `rounds` (after one to warm up): median, quartiles, peak memory."""
    workers = {name: Worker(make, name, *arguments) for name in names}
    for worker in workers.values():
        worker.seconds()
    times = {name: [] for name in names}
    for _ in range(rounds):
        for name, worker in workers.items():
            times[name] += [worker.seconds() for _ in range(3 if name.startswith("celsa") else 1)]
    return {
        name: summary(times[name]) | {"peak_gib": round(worker.close(), 3)}
        for name, worker in workers.items()
    }


def timed(action) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def summary(times: list[float]) -> dict:
    """Median and quartiles in seconds, and how many times were taken."""
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75])
    numbers = {"seconds": median, "low": low, "high": high}
    return {key: float(f"{value:.4g}") for key, value in numbers.items()} | {"n": len(times)}
