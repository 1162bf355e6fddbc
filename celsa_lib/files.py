"""Files written whole or not at all; arrays in one file, without pickle."""

import glob
import io
import json
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from celsa_lib.errors import StorageError

if TYPE_CHECKING:
    import numpy as np

# What a damaged archive raises; RuntimeError where a bit says that it is encrypted.
UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, BadZipFile, zlib.error,
)  # fmt: skip


def remove_leftovers(path: str | Path) -> None:
    """Remove temporary files that a killed `write_whole` left beside `path`."""
    path = Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        left.unlink(missing_ok=True)


@contextmanager
def alone_with(path: str | Path, wait: bool = False) -> Iterator[None]:
    """No other process that asks for `path` in this way is inside at the same time.

    For what reads a file, adds to it and writes it again. The lock lies beside it, and the system
    takes it back from a process that has died. Raises StorageError if another one has it, unless it
    is to be waited for.
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    lock = FileLock(path.with_name(f".{path.stem}.lock"), timeout=-1 if wait else 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StorageError(
            f"another process is at work on {path}; wait until it has ended, or name another file"
        ) from None
    except OSError as error:
        raise StorageError(
            f"cannot write beside {path}: {error}; choose a folder you can write to"
        ) from error
    try:
        yield
    finally:
        lock.release()


def write_whole(path: str | Path, write: Callable[[BinaryIO], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it. Raises StorageError.

    A link is followed, so that what it points to is replaced. What is no file, such as a device or
    a pipe, gets the bytes when they are whole.
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()
    temporary = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            whole = io.BytesIO()
            write(whole)
            path.write_bytes(whole.getvalue())
            return path
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


def save_arrays(path: str | Path, header: dict, arrays: Mapping, compress: bool = True) -> Path:
    """Write `header` (plain JSON values, with format and version) and arrays. Raises StorageError.

    Arrays of objects are written as text. Only what is not compressed can be mapped into memory.
    """
    import numpy as np

    plain = {k: a.astype(str) if a.dtype == object else a for k, a in arrays.items()}
    plain["header"] = np.array(json.dumps(header))
    save = np.savez_compressed if compress else np.savez
    return write_whole(path, lambda file: save(file, **plain))


def format_of(path: str | Path, what: str) -> str:
    """The format that `save_arrays` wrote into a file; `what` it should be. Raises StorageError."""
    import numpy as np

    with _reading(path, what), np.load(path, allow_pickle=False) as stored:
        return json.loads(str(stored["header"]))["format"]


@contextmanager
def stored_arrays(path: str | Path, form: str, version: int, what: str) -> Iterator[tuple]:
    """Header and arrays that `save_arrays` wrote, to be put together inside.

    What is read or raised there of another form, another version or a damaged file is a
    StorageError that calls it no file of `what`. Nothing is unpickled.
    """
    import numpy as np

    with _reading(path, what), np.load(path, allow_pickle=False) as stored:
        header = json.loads(str(stored["header"]))
        if (header["format"], header["version"]) != (form, version):
            raise StorageError(
                f"{path} holds {header['format']} version {header['version']}, this celsa "
                f"reads {form} version {version}; make it again and save it"
            )
        yield header, stored


@contextmanager
def map_arrays(path: str | Path, form: str, version: int, what: str) -> Iterator[tuple]:
    """As `stored_arrays`, all checksums verified first: the arrays are mapped, not read.

    They were saved without compression, and are read-only.
    """
    with _reading(path, what), ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise BadZipFile(f"{damaged} has another checksum")
        with stored_arrays(path, form, version, what) as (header, stored):
            yield header, {name: _mapped(path, archive, name) for name in stored.files}


def _mapped(path: str | Path, archive: ZipFile, name: str) -> "np.ndarray":
    """The array `name` of an archive, mapped into memory. Raises ValueError if it cannot be."""
    import numpy as np

    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        file.seek(sum(struct.unpack("<26x2H", file.read(30))), os.SEEK_CUR)  # name, extra field
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if 0 in shape:  # nothing to map
            return np.empty(shape, dtype)
        return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape))


@contextmanager
def _reading(path: str | Path, what: str) -> Iterator[None]:
    """Turn what goes wrong with a file of `what` into a StorageError."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; check the path") from error
    except StorageError:
        raise
    except UNREADABLE as error:
        raise StorageError(
            f"{path} is not a file of {what}, or is damaged; save it again"
        ) from error
