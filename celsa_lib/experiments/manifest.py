"""Where a number came from: configuration, data, versions, commit, machine, date."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

import torch
from numba import get_num_threads

from celsa_lib.data import Dataset
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.models.registry import by_name
from celsa_lib.results import METHOD_STUDY, UNKNOWN
from celsa_lib.training import resolve_device
from celsa_lib.training.memory import memory_of_machine
from celsa_lib.versions import versions

TRAINS = ("kernels", "training", "models", "evaluation")  # folders of the library


def make_manifest(config: ExperimentConfig, dataset: Dataset, kind: str = METHOD_STUDY) -> dict:
    """Plain JSON values that say how to get the same numbers again; `kind`: one of KINDS."""
    packages = {by_name(method.name).package for method in config.methods} - {""}
    return {
        "kind": kind,
        "config": json.loads(config.to_json()),
        "data": {
            "name": dataset.name,
            "checksum": dataset.checksum,
            "source": dataset.source,
            "users": dataset.X.shape[0],
            "items": dataset.X.shape[1],
            "interactions": int(dataset.X.nnz),
        },
        "runs": new_run(*sorted(packages)),
        "seconds": 0.0,
    }


def new_run(*packages: str, **of_machine) -> dict[str, dict]:
    """The run that goes on now, by an id made of its date and commit: what decides its numbers.

    `packages`: whose versions count besides; `of_machine`: what else is known of the machine.
    """
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    commit, clean = git_state()
    run = {
        "commit": commit,
        "clean": clean,
        "training_code": training_code(),
        "machine": machine() | of_machine,
        "versions": versions(*packages),
        "threads": get_num_threads(),
        "date": date,
    }
    return {f"{date} {commit}": run}


@cache
def training_code() -> str:
    """Digest of the code that trains and evaluates: runs that share it can be compared."""
    package = Path(__file__).parents[1]
    files = [file for part in TRAINS for file in (package / part).rglob("*.py")]
    digest = sha256()
    for file in sorted({*files, package / "split.py"}):
        digest.update(f"{file.relative_to(package).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def git_state() -> tuple[str, bool | None]:
    """(short commit, whether no tracked file differs from it), best effort: else (UNKNOWN, None).

    Files in results/ do not count: they are what is being made.
    """
    # An installed celsa may lie inside a repository that is not its own.
    if not _git("ls-files", "--error-unmatch", Path(__file__).name):
        return UNKNOWN, None
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", ":/", ":(top,exclude)results")
    return commit or UNKNOWN, not changed


def machine() -> dict:
    """CPU model, cores this process may use, memory in GiB, device of training."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gib": round(memory_of_machine() / 2**30, 1),
        "device": _device(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _device() -> str:
    """ "cpu", or the name of the GPU on which models are trained."""
    device = resolve_device("auto")
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if _on_linux() else os.cpu_count() or 1


def _on_linux() -> bool:
    return sys.platform == "linux"


def _cpu_model() -> str:
    if _on_linux():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    """Output of a git command in the package's folder, "" where there is no git or no work tree."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
