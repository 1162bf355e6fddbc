"""A step of the workflow, in a process of its own: python -m celsa_lib.workflow.job STEP …"""

import json
import sys
from pathlib import Path
from time import perf_counter

from celsa_lib.data import files_checksum
from celsa_lib.errors import CelsaError, ConfigError, DatasetNotFoundError, DownloadError
from celsa_lib.files import alone_with, write_whole


def fetch(dataset: str, target: str) -> None:
    """fetch DATASET TARGET: write its checksum, the data downloaded first.

    An empty one for what is generated or cannot be had here: pages then say so.
    """
    try:
        checksum = files_checksum(dataset, fetch=True)
    except (DatasetNotFoundError, DownloadError):
        checksum = ""
    write_whole(Path(target), lambda file: file.write(f"{checksum}\n".encode()))


def notebook(root: str, text: str, target: str, fetched: str = "") -> None:
    """notebook ROOT RUN TARGET [CHECKSUM]: `run_job`; RUN is JSON, CHECKSUM a file of `fetch`."""
    run, started = json.loads(text), perf_counter()
    checksum = Path(fetched).read_text().strip() if fetched else None
    run_job(Path(root), run, Path(target).absolute(), checksum)
    sys.stdout.write(f"{run['notebook']}: {perf_counter() - started:.0f} s\n")


def html(root: str) -> None:
    """html ROOT: the pages, from notebooks that have run."""
    from celsa_lib.book.build import build_html

    build_html(Path(root))


def run_job(root: Path, run: dict, target: Path, checksum: str | None = None) -> None:
    """Run `run` (notebook, parameters, decided_by, dataset) into `target`.

    `checksum`: of the data as it was fetched. A process that was left behind at the same run is
    waited for. Raises ConfigError where code or data are not those of the plan, NotebookError for
    a failing cell.
    """
    from celsa_lib.book.notebook import run_notebook
    from celsa_lib.workflow.digests import decided_by

    file, parameters = Path(run["notebook"]), run["parameters"]
    with alone_with(target, wait=True):
        found = decided_by(root, file, parameters)
        changed = [name for name, value in found.items() if run["decided_by"].get(name) != value]
        if checksum is not None and files_checksum(run["dataset"]) != checksum:
            changed.append("data")
        if changed:
            raise ConfigError(
                f"{file}: {', '.join(changed)} differ from when the workflow began; start it again"
            )
        run_notebook(root / file, target, parameters, cwd=root)


WORKFLOW_STEPS = {"fetch": fetch, "notebook": notebook, "html": html}


def main(arguments: list[str]) -> int:
    """Exit code of a step: 1, with the message on stderr, for a CelsaError; 130 for Ctrl-C."""
    step, *rest = arguments
    try:
        WORKFLOW_STEPS[step](*rest)
    except CelsaError as error:
        sys.stderr.write(f"celsa: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
