"""One notebook run, in a process of its own: python -m celsa_lib.workflow.job ROOT RUN TARGET."""

import json
import sys
from pathlib import Path
from time import perf_counter

from celsa_lib.book.notebook import run_notebook
from celsa_lib.data import files_checksum
from celsa_lib.errors import CelsaError, ConfigError
from celsa_lib.files import alone_with
from celsa_lib.workflow.digests import decided_by


def run_job(root: Path, run: dict, target: Path, checksum: str | None = None) -> None:
    """Run `run` (notebook, parameters, decided_by, dataset) into `target`.

    `checksum`: of the data as it was fetched. A process that was left behind at the same run is
    waited for. Raises ConfigError where code or data are not those of the plan, NotebookError for
    a failing cell.
    """
    notebook, parameters = Path(run["notebook"]), run["parameters"]
    with alone_with(target, wait=True):
        found = decided_by(root, notebook, parameters)
        changed = [name for name, value in found.items() if run["decided_by"].get(name) != value]
        if checksum is not None and files_checksum(run["dataset"]) != checksum:
            changed.append("data")
        if changed:
            raise ConfigError(
                f"{notebook}: {', '.join(changed)} differ from when the workflow began; start it "
                "again"
            )
        run_notebook(root / notebook, target, parameters, cwd=root)


def main(arguments: list[str]) -> int:
    """Exit code of a job: 1 with one line on stderr for a CelsaError. RUN is JSON."""
    root, text, target, *fetched = arguments
    run, started = json.loads(text), perf_counter()
    try:
        checksum = Path(fetched[0]).read_text().strip() if fetched else None
        run_job(Path(root), run, Path(target).absolute(), checksum)
    except CelsaError as error:
        sys.stderr.write(f"celsa: {error}\n")
        return 1
    sys.stdout.write(f"{run['notebook']}: {perf_counter() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
