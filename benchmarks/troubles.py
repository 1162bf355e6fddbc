"""Troubles that users of other packages reported in public: each is tried here, and comes out right
or not.

Usage: python benchmarks/troubles.py [OWNER/REPOSITORY#NUMBER …] [--out results/troubles.json]

With names, these alone are tried, and nothing is stored. Exit code 1 where one is not right.
"""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

from trouble_kind import Trouble
from trouble_models import MODELS
from trouble_others import OTHERS
from trouble_tables import TABLES

from celsa_lib.experiments.manifest import new_run
from celsa_lib.results import BENCHMARK, Result, save_result

TROUBLES = [*TABLES, *MODELS, *OTHERS]


def outcome(trouble: Trouble) -> tuple[bool, str]:
    """Whether a trouble came out right, and what came, in a folder that is made for it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            right, came = True, trouble.meet(Path(folder))
        except Exception as error:
            right, came = False, f"{type(error).__name__}: {error}"
        return right, came.replace(f"{folder}/", "")


def main() -> None:
    """Try all, or those that are named; print what came; store it where all were tried."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0].replace("\n", " "))
    parser.add_argument("names", nargs="*", metavar="OWNER/REPOSITORY#NUMBER")
    parser.add_argument("--out", default="results/troubles.json")
    options = parser.parse_args()
    if unknown := set(options.names) - {trouble.source for trouble in TROUBLES}:
        parser.error(f"no such trouble: {', '.join(sorted(unknown))}")
    logging.disable()  # readers warn of what is odd
    warnings.simplefilter("ignore")
    start, rows = time.perf_counter(), []
    for trouble in TROUBLES:
        if options.names and trouble.source not in options.names:
            continue
        right, came = outcome(trouble)
        print(trouble.source, "right" if right else "WRONG", came, sep=": ", flush=True)
        about = {"kind": trouble.kind, "source": trouble.source, "trouble": trouble.what}
        rows.append({"section": "troubles", **about, "wanted": trouble.right, "came": came}
                    | {"right": int(right)})  # fmt: skip
    if not options.names:
        manifest = {
            "kind": BENCHMARK,
            "what": "troubles of other packages, reported in public, tried here",
            "runs": new_run(),
            "seconds": round(time.perf_counter() - start),
        }
        print(save_result(Result(manifest, rows), options.out))
    sys.exit(0 if all(row["right"] for row in rows) else 1)


if __name__ == "__main__":
    main()
