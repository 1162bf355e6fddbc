"""Snakemake, in this process: it runs what is missing or changed, here or as a profile says."""

import asyncio
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from celsa_lib.data import files_checksum
from celsa_lib.errors import ConfigError, NotebookError, StorageError
from celsa_lib.files import write_whole
from celsa_lib.workflow.digests import PACKAGE, library_digest
from celsa_lib.workflow.runs import NotebookRun

SNAKEFILE = Path(__file__).with_name("Snakefile")
# Times of files say little: a checkout makes them new. So what decides an output is in `params`, by
# digest, and a file counts only where an earlier rule makes it.
OPTIONS = ("--rerun-triggers", "mtime", "params", "--rerun-incomplete", "--keep-going",
           "--quiet", "all")  # fmt: skip


class Workflow:
    """Runs of notebooks, and what else a configuration asks for, made in `folder`.

    root: the book's folder. threads: of each run. more: `html`, `studies`, `results`.
    """

    def __init__(self, root: Path, folder: Path, runs: Iterable[NotebookRun], threads: int, **more):
        self.folder = folder.absolute()
        self.runs = list(runs)
        datasets = sorted({run.dataset for run in self.runs} - {""})
        self.config = {
            "root": str(root.absolute()),
            "runs": {run.target: run.as_config() for run in self.runs},
            "checksums": {dataset: files_checksum(dataset) for dataset in datasets},
            "library": library_digest(),
            "threads": threads,
            "python": sys.executable,
            "path": os.pathsep.join(filter(None, [str(PACKAGE.parent), os.getenv("PYTHONPATH")])),
        } | more

    def run(self, cores: int | None, profile: Path | None = None) -> None:
        """Make what is missing or changed: on `cores` of this machine, or as `profile` says.

        Raises ConfigError without Snakemake or such a profile, StorageError while another process
        works in this folder, NotebookError where something failed.
        """
        if profile is not None and not (profile / "config.yaml").exists():
            raise ConfigError(f"there is no {profile / 'config.yaml'}; --profile names its folder")
        where = ["--cores", str(cores)] if cores is not None else []
        where += ["--profile", str(profile.absolute())] if profile is not None else []
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                # Snakemake's own lock outlives it when it is killed; this one does not.
                shutil.rmtree(self.folder / ".snakemake" / "locks", ignore_errors=True)
                done = self._snakemake(*OPTIONS, *where)
        except Timeout as error:
            raise StorageError(
                f"another process works in {self.folder}; wait for it to end, or end it"
            ) from error
        if not done:
            raise NotebookError(
                f"not everything was made; the messages above, or the newest log in {self.folder}"
                "/.snakemake/log, say why. The same command goes on from here."
            )

    def pending(self) -> set[str]:
        """Targets of the runs that are missing or changed."""
        lines = self._printed("--summary").splitlines()
        plans = {line.split("\t")[0]: line.split("\t")[-1] for line in lines}
        return {run.target for run in self.runs if plans.get(f"{run.target}.ipynb") != "no update"}

    def graph(self) -> str:
        """The rules and which needs which, in the language of Graphviz."""
        text = self._printed("--rulegraph", "dot")
        return text[text.index("digraph") :]

    def _printed(self, *options: str) -> str:
        """What Snakemake prints about the workflow without running any of it."""
        out = io.StringIO()
        with redirect_stdout(out):
            if not self._snakemake(*OPTIONS, "--cores", "1", "--nolock", *options):
                raise ConfigError(f"Snakemake cannot read the workflow in {self.folder}")
        return out.getvalue()

    def _snakemake(self, *options: str) -> bool:
        """Whether it succeeded. Raises ConfigError where it is not installed."""
        if find_spec("snakemake") is None:
            raise ConfigError('this needs Snakemake: pip install "celsa[book]"')
        from snakemake.cli import args_to_api, parse_args

        words = ["--snakefile", str(SNAKEFILE), "--directory", str(self.folder), *options]
        parser, args = parse_args([*words, "--configfile", str(self._written())])
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return args_to_api(args, parser)
        with ThreadPoolExecutor(1) as own:  # in a notebook: Snakemake wants a loop of its own
            return own.submit(args_to_api, args, parser).result()

    def _written(self) -> Path:
        """The configuration, in a file of a name of its own: a cluster reads it later."""
        text = json.dumps(self.config, indent=1, sort_keys=True).encode()
        name = f"{hashlib.sha256(text).hexdigest()[:16]}.json"
        return write_whole(self.folder / ".plans" / name, lambda file: file.write(text))
