"""A million items: time, memory and recall of this library, engines, and faiss on dense rows.

Usage: python benchmarks/million_items.py [--out results/million-items.json] [--minutes 25]
    [--sizes 10000 100000 1000000] [--contenders NAME …] [--users 200] [--bound 300] [--asking 30]
    [--again NAME …]
Rows and histories are made as real_rows.py says: width 4,096, 16 nonzeros. Each contender has a
process of its own, killed after --bound seconds. Users are asked one after the other until --asking
seconds are over, but at least 20 of them, from history to list; then many at a time on all cores.
Recall is that of these 20 at TOP, beside the exact search of a contender's own rows (those before
rounding, for rounded ones); faiss has the rows projected at random. Memory is what its process has
grown by, rows included, a server's left out. Rows that are kept are loaded by a process that is
killed half-way and by another that goes on. What is stored of the same settings is not measured
again, but for --again, whose rows are dropped first ("made" too: how rows are made); no new
contender begins after --minutes.
"""

import argparse
import hashlib
import json
import shutil
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from engines import postgres
from million_contenders import CONTENDERS, KEPT, TOP, missing
from million_processes import ABSENT, in_process, loaded
from million_source import Source, touched_mib
from processes import summary, timed
from real_rows import FILE, RealRows, statistics

from celsa_lib.experiments.manifest import new_run, usable_cores
from celsa_lib.results import BENCHMARK, Result, load_result, save_result
from celsa_lib.retrieval import engines

SIZES, USERS = (10_000, 100_000, 1_000_000), 200
SAME = ("top", "users", "bound", "asking", "cores", "rows")  # settings that decide a row
ACCURACY = "results/goodbooks-10k-partial.json"  # what says which dense rows are as accurate
SPARSE, DENSE = ("Compressed ELSA", 128), "Low-dim ELSA"  # a label there and its bytes, a label
LOAD, ITEMS, ROWS = "load", "million items", "rows"
MACHINE, EQUAL = "hardware", "equal accuracy"


class Store:
    """Rows in one file, written after each: what is there with the same settings stays."""

    def __init__(self, path: Path, settings: dict):
        self.path, self.settings = path, settings
        self.result = load_result(path) if path.exists() else Result({})
        runs = self.result.manifest.get("runs", {}) | new_run("faiss-cpu", *_packages())
        seconds = self.result.manifest.get("seconds", 0)
        what = f"the best {TOP} among up to a million items, rows and histories made of real ones"
        stated = {"kind": BENCHMARK, "what": what, "runs": runs, "settings": settings}
        self.result.manifest = stated | {"seconds": seconds}

    def key(self, section: str, name: str, n_items: int) -> str:
        """Of a row: what decides its numbers."""
        named = [section, name, n_items, *(self.settings[setting] for setting in SAME)]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]

    def lacks(self, section: str, name: str, n_items: int, absent: str = "") -> bool:
        """Whether a row is still to be measured; or to be noted, where it is `absent`."""
        key = self.key(section, name, n_items)
        found = [row for row in self.result.rows if row.get("hash") == key]
        return all(row.get("outcome") == ABSENT for row in found) and not (found and absent)

    def drop(self, names: list[str], sizes: list[int]) -> None:
        """Forget what is stored of contenders at these sizes; the next row writes the file."""
        self.result.rows = [
            r for r in self.result.rows
            if not (r["contender"] in names and r["items"] in sizes)
        ]  # fmt: skip

    def add(self, section: str, name: str, n_items: int, values: dict, seconds: float) -> dict:
        """Store a row in the place of an older one."""
        row = {"section": section, "contender": name, "items": n_items, **values}
        row["hash"] = self.key(section, name, n_items)
        same = (section, name, n_items)
        kept = [r for r in self.result.rows if (r["section"], r["contender"], r["items"]) != same]
        self.result.rows = [*kept, row]
        self.result.manifest["seconds"] = round(self.result.manifest["seconds"] + seconds)
        save_result(self.result, self.path)
        print({k: v for k, v in row.items() if k not in ("hash", "points", "digest")}, flush=True)
        return row


def _packages() -> set[str]:
    return {p.split("[")[0] for name in (*KEPT, "kannolo", "seismic")
            for p in engines.ENGINES[name].packages}  # fmt: skip


def equal_accuracy(path: str = ACCURACY) -> list[dict]:
    """nDCG@100 of sparse rows, and of dense ones of every width: whether it is as much."""
    groups = defaultdict(list)
    for row in load_result(path).rows:
        key = row["label"], row["budget_bytes"]
        if key == SPARSE or row["label"] == DENSE:
            groups[key].append(row["mean"]["ndcg@100"])
    aim = np.mean(groups[SPARSE])
    return [
        {
            "what": f"{label}, {size} B", "value": round(float(np.mean(values)), 4),
            "reaches": bool(np.mean(values) >= aim), "source": Path(path).stem,
        }
        for (label, size), values in sorted(groups.items())
    ]  # fmt: skip


def hardware() -> list[dict]:
    """What the machine can do: a product of single precision, and a copy in memory."""
    E, A = np.ones((1_024, 1_024), np.float32), np.ones((1_024, 4_096), np.float32)
    source, target = np.ones(2**25, np.float32), np.empty(2**25, np.float32)
    what = {
        "product float32": (lambda: E @ A, 2 * E.size * A.shape[1] / 1e9),
        "copy": (lambda: np.copyto(target, source), 2 * source.nbytes / 1e9),
    }
    rows = []
    for name, (action, work) in what.items():
        action()
        times = summary([timed(action) for _ in range(9)])
        rows.append({"what": name, "rate": round(work / times["seconds"], 1), **times})
    return rows


def measure(store: Store, sizes, names, folder: Path, address: str | None, minutes: float) -> None:
    """Whatever the store lacks, until the minutes are over."""
    start, real, settings = time.perf_counter(), RealRows.load(), store.settings
    for n_items in sorted(sizes):
        sections = [(ITEMS, name) for name in names]
        sections += [(LOAD, name) for name in names if name in KEPT] + [(ROWS, "made")]
        if not any(store.lacks(section, name, n_items) for section, name in sections):
            continue
        source = Source(folder / str(n_items), n_items, address)
        begun = time.perf_counter()
        rows = real.rows(n_items)
        users = real.users(settings["users"], n_items)
        seconds = round(time.perf_counter() - begun, 2)
        Source.write(source.folder, rows, users)
        if store.lacks(ROWS, "made", n_items):
            about = statistics(rows, users) | {"touched_mib": touched_mib(rows, users)}
            values = {"statistics": about, "seconds": seconds}
            store.add(ROWS, "made", n_items, values, time.perf_counter() - begun)
        del rows, users
        for name in names:
            if time.perf_counter() - start < 60 * minutes:
                measure_one(store, name, source)
        shutil.rmtree(source.folder)


def measure_one(store: Store, name: str, source: Source) -> None:
    """A contender at one size, after its rows are loaded where it keeps them."""
    why = missing(name, source.address)
    for section, action in ((LOAD, loaded), (ITEMS, in_process)):
        if (section == ITEMS or name in KEPT) and store.lacks(section, name, source.n_items, why):
            begun = time.perf_counter()
            absent = {"outcome": ABSENT, "said": why}
            values = absent if why else action(name, source, store.settings)
            store.add(section, name, source.n_items, values, time.perf_counter() - begun)


def main() -> None:
    """Measure what is not stored yet, a row after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/million-items.json")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--again", nargs="+", default=[], help="Measured though it is stored.")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--bound", type=float, default=300, help="Seconds of a contender.")
    parser.add_argument("--asking", type=float, default=30, help="Seconds of asking, of each kind.")
    parser.add_argument("--minutes", type=float, default=25, help="After which none begins.")
    parser.add_argument("--small", action="store_true", help="Few items and users.")
    parser.add_argument("--address", help="Of PostgreSQL with pgvector.")
    options = parser.parse_args()
    if options.small:
        options.sizes, options.users, options.asking = [11_000], 20, 1
    settings = {
        "top": TOP, "users": options.users, "bound": options.bound, "asking": options.asking,
        "cores": usable_cores(), "rows": hashlib.sha256(FILE.read_bytes()).hexdigest()[:16],
    }  # fmt: skip
    store = Store(Path(options.out), settings)
    store.drop(options.again, options.sizes)
    begun = time.perf_counter()
    if store.lacks(ROWS, "real", 0):
        real = RealRows.load()
        about = statistics(real.matrix, real.histories)
        store.add(ROWS, "real", 0, {"statistics": about, **real.about}, 0)
        for line in equal_accuracy():
            store.add(EQUAL, line["what"], 0, line, 0)
        for line in hardware():
            store.add(MACHINE, line["what"], 0, line, time.perf_counter() - begun)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="celsa-"))
        address = None
        if "pgvector" in options.contenders and not missing("pgvector", ""):
            address = stack.enter_context(postgres(options.address))
        sizes, names = options.sizes, options.contenders
        measure(store, sizes, names, Path(folder), address, options.minutes)


if __name__ == "__main__":
    main()
