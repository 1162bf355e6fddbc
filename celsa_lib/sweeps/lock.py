"""One process at a time, by a lock that the system takes back from a process that was killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celsa_lib.errors import StorageError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[tuple[int, ...]]:
    """Hold the file `path` alone; gives what a child must inherit to go on holding it.

    Without `wait`, raises StorageError when another process holds it. Where a file system has no
    locks there are none: two processes at one run would then both do it, with the same result.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        if fcntl is not None:
            _lock(file, wait)
        yield (file.fileno(),) if fcntl is not None else ()


def _lock(file, wait: bool) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise StorageError(
            f"another process holds {file.name}: end it, or wait for it to end, and try again"
        ) from error
    except OSError:  # some network file systems have no locks
        return
