"""Faults injected into the real commands: each is survived, or what went wrong is printed.

Usage: python benchmarks/faults.py [--out results/faults.json]
"""

import argparse
import tempfile
import time
from pathlib import Path

from fault_commands import Fault, prepare
from fault_list import FAULTS

from celsa_lib.experiments.manifest import new_run
from celsa_lib.results import BENCHMARK, Result, save_result


def survives(fault: Fault) -> str:
    """What went wrong, in a folder that is made for it; empty where nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        try:
            fault.inject(Path(folder))
        except AssertionError as error:
            return str(error) or "it failed"
    return ""


def main() -> None:
    """Inject, write one file, print what was not survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/faults.json")
    options = parser.parse_args()
    start, counts = time.perf_counter(), {}
    for fault in FAULTS:
        trouble = survives(fault)
        row = counts.setdefault(fault.kind, {"injected": 0, "survived": 0})
        row["injected"] += 1
        row["survived"] += not trouble
        print(fault.kind, fault.name, trouble or "survived", sep=": ", flush=True)
    rows = [{"section": "faults", "fault": kind} | row for kind, row in counts.items()]
    manifest = {
        "kind": BENCHMARK,
        "what": "faults injected into the commands",
        "runs": new_run(),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))


if __name__ == "__main__":
    main()
