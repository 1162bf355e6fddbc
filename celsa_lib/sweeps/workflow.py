"""A plan carried out by Snakemake: here, or by the executor of a profile."""

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from celsa_lib.book.fingerprint import PACKAGE
from celsa_lib.errors import ConfigError, NotebookError
from celsa_lib.files import write_whole
from celsa_lib.sweeps.lock import locked
from celsa_lib.sweeps.plan import Plan

SNAKEFILE = Path(__file__).with_name("Snakefile")
# Snakemake's own memory of what is whole is not needed: a notebook appears only when it is, under a
# name that changes with all that decides it, and each run has a lock that dies with its process.
OPTIONS = ["--rerun-triggers", "mtime", "--ignore-incomplete", "--nolock", "--keep-going"]


def run_plan(plan: Plan, out: Path, cores: int | None, profile: Path | None = None) -> None:
    """Run what is missing: on `cores` of this machine, or as the folder `profile` says.

    Raises ConfigError without Snakemake or such a profile, StorageError while another sweep of
    this notebook goes on in `out`, NotebookError when a run failed.
    """
    if not plan.missing:
        return
    if find_spec("snakemake") is None:
        raise ConfigError('a sweep needs Snakemake: pip install "celsa[workflow]"')
    if profile is not None and not (profile / "config.yaml").exists():
        raise ConfigError(f"there is no {profile / 'config.yaml'}; --profile names its folder")
    with locked(out / f".{plan.folder}.lock", wait=False) as held:
        code = call(command(plan, out, cores, profile), held)
    left = plan.missing
    if left or code:
        raise NotebookError(
            f"{len(left)} of {len(plan.runs)} runs are not finished; the messages above say why. "
            "The same command goes on from here."
        )


def call(words: list[str], held: tuple[int, ...]) -> int:
    """Exit code of Snakemake, which holds the lock on: it may outlive this process."""
    with subprocess.Popen(words, env=environment(), pass_fds=held) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it was told too; it ends its jobs on a cluster before itself
            process.wait()
            raise


def command(plan: Plan, out: Path, cores: int | None, profile: Path | None) -> list[str]:
    """Snakemake's command line for what is missing, working in the folder `out`."""
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
    words += ["--directory", str(out.absolute()), *OPTIONS]
    words += ["--configfile", str(write_config(plan, out).absolute())]
    words += ["--cores", str(cores)] if cores is not None else []
    return words + (["--profile", str(profile.absolute())] if profile is not None else [])


def write_config(plan: Plan, out: Path) -> Path:
    """The workflow's configuration, in a file of a name of its own: a cluster reads it later."""
    runs = {
        run.id: {"id": run.id, "notebook": str(plan.notebook), "parameters": run.parameters}
        for run in plan.missing
    }
    config = {"runs": runs, "folder": plan.folder, "threads": plan.threads}
    config |= {"python": sys.executable, "root": str(plan.root.absolute())}
    text = json.dumps(config, indent=1, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()[:16]}.json"
    return write_whole(out / "plans" / name, lambda file: file.write(text))


def environment() -> dict[str, str]:
    """This environment, in which jobs import the library that made the plan."""
    path = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}
