"""Files written whole or not at all; arrays in one file, without pickle."""

import glob
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

from celsa_lib.errors import StorageError


def remove_leftovers(path: str | Path) -> None:
    """Remove temporary files that a killed `write_whole` left beside `path`."""
    path = Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        left.unlink(missing_ok=True)


def write_whole(path: str | Path, write: Callable[[BinaryIO], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it. Raises StorageError."""
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            write(file)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error}; choose a folder you can write to"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)  # gone already where the rename succeeded
    return path


def save_arrays(path: str | Path, header: dict, arrays: Mapping) -> Path:
    """Write `header` (plain JSON values, with format and version) and arrays. Raises StorageError.

    Arrays of objects are written as text.
    """
    import numpy as np

    plain = {k: a.astype(str) if a.dtype == object else a for k, a in arrays.items()}
    plain["header"] = np.array(json.dumps(header))
    return write_whole(path, lambda file: np.savez_compressed(file, **plain))


@contextmanager
def stored_arrays(path: str | Path, form: str, version: int, what: str) -> Iterator[tuple]:
    """Header and arrays that `save_arrays` wrote, to be put together inside.

    What is read or raised there of another form, another version or a damaged file is a
    StorageError that calls it no file of `what`. Nothing is unpickled.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            if (header["format"], header["version"]) != (form, version):
                raise StorageError(
                    f"{path} holds {header['format']} version {header['version']}, this celsa "
                    f"reads {form} version {version}; make it again and save it"
                )
            yield header, stored
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; check the path") from error
    except StorageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise StorageError(
            f"{path} is not a file of {what}, or is damaged; save it again"
        ) from error
