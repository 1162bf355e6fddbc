"""Files written whole or not at all."""

import glob
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from celsa_lib.errors import CelsaError, StorageError, plainly

MOST_UNPACKED = 2**28  # bytes that a packed file may hold however small it is
HARDEST_PACKED = 300  # times its own size, that a larger one may hold: text with much padding
TEMPORARY = ".tmp"  # how a name ends that is not yet the file's own
JUST_MADE = 10  # seconds after its last byte in which such a file is left alone


def check_unpacked(n_unpacked: int, n_packed: int) -> None:
    """Raise ValueError for what is packed harder than any file of use: made to fill the memory."""
    if n_unpacked > max(MOST_UNPACKED, HARDEST_PACKED * n_packed):
        raise ValueError(f"{n_packed:,} bytes that hold {n_unpacked:,} and more are no data")


def is_stream(path: str | Path) -> bool:
    """Whether a pipe or a device is there: reading it may wait for ever, or never end."""
    path = Path(path).expanduser()
    return path.exists() and not (path.is_file() or path.is_dir())


def remove_leftovers(path: str | Path) -> None:
    """Remove temporary files that a killed `write_whole` left beside `path`."""
    for left in _temporary_files(Path(path).expanduser()):
        left.unlink(missing_ok=True)


def _temporary_files(path: Path) -> Iterator[Path]:
    return path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}")


def check_writable(path: str | Path, *read: str | Path | None) -> None:
    """Raise StorageError where `write_whole` could not write `path`: known before the work.

    read: files that the work is about, which `path` may not be.
    """
    path = Path(path).expanduser()
    try:
        if any(_are_one(path, Path(other).expanduser()) for other in read if other is not None):
            raise StorageError(f"{path} is what is read, and would be lost; name another file")
        if _followed(path).is_dir():
            raise IsADirectoryError("it is a folder")
        folder = next(one for one in path.absolute().parents if one.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except StorageError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error


def _followed(path: Path) -> Path:
    """Where a link leads, which need not be there yet. Raises OSError for links in a circle."""
    with suppress(FileNotFoundError):
        path.stat()
    return path.resolve() if path.is_symlink() else path


def _are_one(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _cannot_write(path: Path, error: Exception) -> StorageError:
    reason = getattr(error, "strerror", None) or error
    return StorageError(f"cannot write {path}: {reason}; choose a folder you can write to")


@contextmanager
def alone_with(path: str | Path, wait: bool = False) -> Iterator[None]:
    """No other process that asks for `path` in this way is inside at the same time.

    For what reads a file, adds to it and writes it again. The lock lies beside it, and the system
    takes it back from a process that has died. Raises StorageError if another one has it, unless it
    is to be waited for. Where nobody waits the lock is removed at the end.
    """
    from filelock import FileLock, Timeout

    path = Path(path).expanduser()
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
        if not wait:
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _hold(file: BinaryIO) -> bool:
    """Whether this process alone has `file` now, until it is closed; the system knows of deaths."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where nothing is cleared
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process writes it, or the folder knows no locks
        return False
    return True


def _clear_left(path: Path) -> None:
    """Remove temporary files beside `path` whose writers were killed: no process holds them."""
    for left in _temporary_files(path):
        try:
            if time.time() - left.stat().st_mtime < JUST_MADE:  # not held yet, or not any more
                continue
            with open(left, "rb") as file:
                if _hold(file):
                    left.unlink()
        except OSError:  # gone, or another user's
            continue


def write_whole(path: str | Path, write: Callable[[BinaryIO], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it. Raises StorageError.

    A link is followed, so that what it points to is replaced; who may read a file that is replaced
    may read the new one. What is no file, such as a device or a pipe, gets the bytes when they are
    whole.
    """
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise StorageError(f"cannot write {plainly(path)}: it is no path of a file")
    path = Path(path).expanduser()
    temporary = None
    try:
        path = _followed(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            whole = io.BytesIO()
            write(whole)
            path.write_bytes(whole.getvalue())
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{token_hex(4)}{TEMPORARY}")
        with open(temporary, "xb") as file:  # as the umask says, unlike what tempfile makes
            _hold(file)
            write(file)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
        _clear_left(path)
    except CelsaError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)  # gone already where the rename succeeded
    return path
