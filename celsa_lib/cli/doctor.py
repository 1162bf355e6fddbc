"""`celsa doctor`: what is here, what is missing, and how to get it."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import typer

import celsa_lib as cl
from celsa_lib.cli.data import where
from celsa_lib.errors import CelsaError

EXTRAS = {  # a package of each, and what it is for
    "train": ("torch", "training models"),
    "retrieval": ("qdrant_edge", "engines to serve from"),
    "book": ("jupyter_book", "the book and its notebooks"),
    "text": ("sentence_transformers", "names of segments by a language model"),
    "test": ("pytest", "the tests"),
    "cluster": ("snakemake_executor_plugin_slurm", "sweeps on Slurm"),
}
SETTINGS = ("CELSA_DATA", "CELSA_CACHE", "CELSA_OFFLINE", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS",
            "HTTP_PROXY", "HTTPS_PROXY", "OPENAI_BASE_URL")  # fmt: skip
SECRETS = ("OPENAI_API_KEY",)  # whether they are set, never what they are
LEAST_SPACE = 2.0  # GiB: the environment, and data sets of some size


def doctor() -> None:
    """Say what is here and what is missing: versions, device, data, disk, extras, settings."""
    for what, said in findings():
        typer.echo(f"{what:10} {said}")


def findings() -> Iterator[tuple[str, str]]:
    """(what, found) of everything that decides whether celsa works here."""
    from celsa_lib.versions import versions

    found = versions()
    yield "versions", ", ".join(f"{name} {version}" for name, version in found.items())
    yield "device", _device()
    yield "threads", _threads()
    yield from _data()
    for extra, (package, use) in EXTRAS.items():
        there = find_spec(package) is not None
        advice = "here" if there else f'not here; pip install "celsa[{extra}]"'
        yield "extra", f"{extra}, for {use}: {advice}"
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    advice = browser or "not here; on Debian or Ubuntu: apt-get install chromium"
    yield "browser", f"for a PDF of the book and tests of its pages: {advice}"
    for name in SETTINGS:
        if name in os.environ:
            value = os.environ[name].rpartition("@")[2]  # no password of a proxy
            yield "setting", f"{name}={value}"
    for name in SECRETS:
        yield "setting", f"{name} is {'set' if os.environ.get(name) else 'not set'}"


def _device() -> str:
    """Where models are trained, with its cores and memory."""
    if find_spec("torch") is None:
        return 'torch is not here, so nothing can be trained; pip install "celsa[train]"'
    from celsa_lib.experiments.manifest import machine

    about = machine()
    trained = "the CPU" if about["device"] == "cpu" else about["device"]
    return (
        f"trains on {trained}; {about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB, "
        f"{about['system']}"
    )


def _threads() -> str:
    """How many threads compute, and how to have others."""
    from numba import get_num_threads

    return f"{get_num_threads()} compute; NUMBA_NUM_THREADS and OMP_NUM_THREADS set others"


def _data() -> Iterator[tuple[str, str]]:
    """Data sets by whether they are here, and the space where downloads are kept."""
    from celsa_lib.data.download import cache_root

    states: dict[str, list[str]] = {}
    try:
        for name in cl.datasets():
            states.setdefault(where(cl.dataset_info(name)), []).append(name)
    except CelsaError as error:
        yield "data", str(error)
    for state, names in states.items():
        yield "data", f"{state}: {', '.join(names)}"
    if "not here" in states:
        yield "data", "celsa data fetch NAME gets one"
    for what, folder in (("cache", cache_root()), ("here", Path.cwd())):
        free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
        left = free / 2**30
        advice = "" if left >= LEAST_SPACE else f"; {LEAST_SPACE:g} GiB are needed for a data set"
        yield "disk", f"{what}: {folder}, {left:.1f} GiB free{advice}"
