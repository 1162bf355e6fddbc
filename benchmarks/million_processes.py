"""Processes that measure a contender each, killed when it takes too long, or to be gone on from."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from threading import Timer

from million_source import Source

MEASURED, UNFINISHED, REFUSED, ABSENT = "measured", "not finished", "refused", "absent"


def said(action: str, name: str, source: Source, settings: dict, bound: float) -> Iterator[dict]:
    """What a process says, each with its `time`; killed after `bound` seconds, or when let go.

    The last has `ended`: its exit status, that of a signal being below zero.
    """
    request = {"action": action, "name": name, "settings": settings, **asdict(source)}
    request["folder"] = str(source.folder)
    script = Path(__file__).with_name("million_measures.py")
    command = [sys.executable, str(script), json.dumps(request)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        timer = Timer(max(0, bound), process.kill)
        timer.start()
        try:
            for line in process.stdout:
                yield json.loads(line) | {"time": time.perf_counter()}
            yield {"ended": process.wait()}
        finally:
            timer.cancel()
            process.kill()  # SIGKILL


def in_process(name: str, source: Source, settings: dict) -> dict:
    """What is stored of a contender: measured, refused, or not finished."""
    found: dict = {}
    for message in said("measure", name, source, settings, settings["bound"]):
        found |= message
    if "points" not in found:
        return _without(found, settings["bound"])
    return {"outcome": MEASURED} | {k: v for k, v in found.items() if k not in ("time", "ended")}


def loaded(name: str, source: Source, settings: dict) -> dict:
    """Rows a second of a load that is killed half-way and gone on, and what it repeats."""
    deadline, half = time.perf_counter() + settings["bound"], source.n_items // 2
    there, times = 0, []
    with closing(said("fill", name, source, settings, settings["bound"])) as messages:
        for message in messages:
            there = message.get("there", there)
            times += [message["time"]] if "time" in message else []
            if message.get("begun", 0) >= half:
                break
    found: dict = {}
    for message in said("fill", name, source, settings, deadline - time.perf_counter()):
        found |= message
    if "written" not in found:
        return _without(found, settings["bound"])
    seconds = found["seconds"] + (times[-1] - times[0] if times else 0)
    return {
        "outcome": MEASURED, "seconds": float(f"{seconds:.4g}"), "killed_at": there,
        "written_after": found["written"], "repeated": there + found["written"] - source.n_items,
        "rows_per_second": round(source.n_items / seconds),
    }  # fmt: skip


def _without(found: dict, bound: float) -> dict:
    """The outcome of a process that has measured nothing."""
    if found.get("ended") == -9:
        return {"outcome": UNFINISHED, "said": f"not finished in {bound:g} s"}
    why = found.get("said", f"its process ended with {found.get('ended')}")
    return {"outcome": REFUSED, "said": why}
