"""One notebook: parameters checked, run by papermill in this environment, cleaned."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import DeadKernelError

from celsa_lib.errors import ConfigError, NotebookError, StorageError
from celsa_lib.files import check_writable

KERNEL = "python3"
# pooch looks for Jupyter widgets, which pages that need no other host cannot use, and warns.
QUIET = "ignore:IProgress not found,ignore:an epoch has"  # pages compare small data on purpose
VOLATILE = "metadata.papermill cell.metadata.papermill cell.metadata.execution metadata.widgets"


def notebook_path(name: str) -> Path:
    """A notebook's path from its path, or from its name in notebooks/."""
    path = Path(name).expanduser()
    return path if path.suffix else Path("notebooks") / f"{name}.ipynb"


def check_parameters(path: Path, given: dict[str, str], only_known: bool = False) -> dict:
    """`given` as values of the types of the notebook's defaults.

    Raises ConfigError for a parameter the notebook does not have (left out with `only_known`), a
    value of another type (papermill itself only warns), or a profile or dataset that is not there.
    """
    defaults = default_parameters(path)
    unknown = sorted(set(given) - set(defaults))
    if unknown and not only_known:
        raise ConfigError(
            f"{path.name} has no parameter {', '.join(unknown)}; it has {', '.join(defaults)}"
        )
    known = {name: text for name, text in given.items() if name in defaults}
    values = {name: _typed(name, text, defaults[name], path) for name, text in known.items()}
    _check_settings(defaults | values)
    return values


def _check_settings(parameters: dict) -> None:
    """Refuse here what the notebook would refuse once its kernel has started."""
    from celsa_lib.experiments import PROFILES, settings_for

    if "profile" not in parameters:
        return
    some = next(iter(PROFILES["laptop"]))
    named = parameters["profile"], parameters.get("dataset", some)
    settings_for(*named, parameters.get("budgets", []))
    seeds = parameters.get("seeds", [0])
    if not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise ConfigError(f"seeds must be a list of whole numbers, got {seeds}")


def default_parameters(path: Path) -> dict:
    """Names and defaults in the cell tagged `parameters`. Raises StorageError, ConfigError."""
    cells = [c for c in _cells_of(path) if "parameters" in c.get("metadata", {}).get("tags", [])]
    try:
        tree = ast.parse("".join(cells[0]["source"]) if cells else "")
        return {
            target.id: ast.literal_eval(line.value)
            for line in tree.body
            if isinstance(line, ast.Assign)
            for target in line.targets
        }
    except (ValueError, SyntaxError, AttributeError) as error:
        raise ConfigError(f"the parameters of {path.name} must be plain values: {error}") from error


def code_of(path: Path) -> str:
    """All Python code of a notebook, without lines that are commands of the notebook's own."""
    sources = ("".join(c["source"]) for c in _cells_of(path) if c["cell_type"] == "code")
    lines = (line for source in sources for line in source.splitlines())
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def _cells_of(path: Path) -> list[dict]:
    """The cells of a notebook. Raises StorageError where there is none, or it is damaged."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError(f"there is no notebook {path}; {_where_notebooks_are(path)}") from error
    except UnicodeDecodeError as error:
        raise StorageError(f"{path} is no notebook: it is not UTF-8 text") from error
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # of nbformat's readers, one of many kinds
        raise StorageError(
            f"{path} is no notebook, or only a part of one ({type(error).__name__}); take a whole "
            "copy of it"
        ) from error
    return notebook.cells


def _where_notebooks_are(path: Path) -> str:
    """Advice for a path that is not there."""
    if path.parent == Path("notebooks") and not path.parent.exists():
        return "the book's notebooks are in a copy of its repository; call celsa run from there"
    return "check the path"


def _typed(name: str, text: str, default, path: Path):
    """`text` as the type of `default`: a string stays a string, so that "007" is not 7."""
    if default is None:
        return None if text in ("None", "null") else text
    if isinstance(default, str):
        return text
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, (int, float)):
            return type(default)(text)
        value = json.loads(text)
        if isinstance(value, type(default)):
            return value
        raise ValueError(f"not a {type(default).__name__}")
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"parameter {name} of {path.name} must be like {default!r} "
            f"({type(default).__name__}), got {text!r}"
        ) from error


def run_notebook(path: Path, target: Path, parameters: dict, cwd: Path) -> Path:
    """Run `path` into `target`, which appears only when every cell has run.

    Raises NotebookError naming the notebook, the cell (from 1, in `path`) and the error; the
    notebook up to there is kept beside `target` with the ending .failed.ipynb.
    """
    use_own_kernel()
    os.environ.setdefault("PYTHONWARNINGS", QUIET)  # the kernel takes it over
    check_writable(target)
    partial = target.with_suffix(".failed.ipynb")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        papermill.execute_notebook(
            str(path),
            str(partial),
            parameters=parameters,
            kernel_name=KERNEL,
            cwd=str(cwd),
            extra_arguments=["--log-level=CRITICAL"],  # else it would say how Ctrl-C ended it
        )
    except KeyboardInterrupt:
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:  # a full disk
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {partial}: {error}; free some space, or choose another folder"
        ) from error
    except papermill.PapermillExecutionError as error:
        if error.ename == "KeyboardInterrupt":  # a terminal interrupts the kernel too
            partial.unlink(missing_ok=True)
            raise KeyboardInterrupt from None
        number = error.cell_index + 1 - bool(parameters)  # papermill adds a cell for parameters
        raise NotebookError(
            f"{path.name} failed in cell {number}: {error.ename}: {error.evalue}\n"
            f"The notebook up to there: {partial}"
        ) from error
    except DeadKernelError as error:
        number = _cells_begun(partial) - bool(parameters)
        raise NotebookError(
            f"{path.name}: the kernel died in cell {number}, perhaps for lack of memory; try a "
            f"smaller profile or dataset\nThe notebook up to there: {partial}"
        ) from error
    strip_volatile(partial)
    shutil.move(partial, target)
    return target


def _cells_begun(path: Path) -> int:
    """How many cells of a notebook that papermill left half-way it had begun to run."""
    return sum(cell["metadata"]["papermill"]["start_time"] is not None for cell in _cells_of(path))


def strip_volatile(path: Path) -> None:
    """Remove times and widgets, keep outputs: the same run gives the same bytes."""
    command = [sys.executable, "-m", "nbstripout", "--keep-output", "--keep-count"]
    done = subprocess.run(
        [*command, "--extra-keys", VOLATILE, str(path)], capture_output=True, text=True
    )
    if done.returncode:
        raise NotebookError(f"nbstripout failed on {path}: {done.stderr.strip()}")


def use_own_kernel() -> None:
    """Make the kernel "python3" the one of this environment. Raises NotebookError if it is not."""
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # before kernels of the user's own
    command = KernelSpecManager().get_kernel_spec(KERNEL).argv[0]
    ours = Path(sys.executable).name, "python", "python3"
    if command not in ours and Path(command).absolute() != Path(sys.executable).absolute():
        raise NotebookError(
            f'the Jupyter kernel "{KERNEL}" starts {command}, not {sys.executable}; '
            f"unset JUPYTER_PATH or remove that kernel (jupyter kernelspec remove {KERNEL})"
        )
