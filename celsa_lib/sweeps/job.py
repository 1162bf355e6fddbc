"""One run of a sweep, in a process of its own: python -m celsa_lib.sweeps.job ROOT RUN TARGET."""

import json
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

from celsa_lib.book.notebook import run_notebook
from celsa_lib.data import files_checksum
from celsa_lib.errors import CelsaError, ConfigError
from celsa_lib.files import write_whole
from celsa_lib.sweeps.lock import locked
from celsa_lib.sweeps.plan import record_of, run_id


def run_job(root: Path, run: dict, target: Path) -> None:
    """Run `run` (notebook, id, parameters) into `target`; its record, written last, ends it.

    A run that another process is at is waited for, not repeated. Raises ConfigError where code or
    data are not those of the plan, NotebookError for a failing cell.
    """
    notebook, parameters = Path(run["notebook"]), run["parameters"]
    with locked(target.with_name(f".{target.stem}.lock")):
        if target.exists() and record_of(target).exists():
            return
        checksum = partial(files_checksum, fetch=True)
        if run_id(root, notebook, parameters, checksum) != run["id"]:
            raise ConfigError(
                f"{notebook}, the library, its versions or the data are not those that the sweep "
                "began with; start it again"
            )
        started = perf_counter()
        run_notebook(root / notebook, target, parameters, cwd=root)
        record = run | {"seconds": round(perf_counter() - started, 1)}
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        write_whole(record_of(target), lambda file: file.write(text.encode()))


def main(arguments: list[str]) -> int:
    """Exit code of a job: 1 with one line on stderr for a CelsaError."""
    root, run, target = arguments
    try:
        run_job(Path(root), json.loads(run), Path(target).absolute())
    except CelsaError as error:
        sys.stderr.write(f"celsa: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
