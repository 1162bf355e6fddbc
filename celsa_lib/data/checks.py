"""Checks shared by the readers: columns, checksums, and damaged files reported in plain words."""

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from celsa_lib.errors import CelsaError, DataError, DownloadError
from celsa_lib.files import check_unpacked, is_stream

if TYPE_CHECKING:
    import numpy as np


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a damaged or forbidden file raises into a DataError that names it.

    Every exception: parsers and archives raise one of two dozen kinds, MemoryError among them.
    """
    if is_stream(path):
        raise DataError(f"{path} is a pipe or a device, no file; write what it holds to a file")
    try:
        yield
    except CelsaError:
        raise
    except (EOFError, gzip.BadGzipFile, UnicodeError) as error:
        raise _corrupt(path, error) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); check that it is whole and that "
            "you may read it"
        ) from error
    except MemoryError as error:
        raise DataError(
            f"{path} needs more memory than there is, or is damaged; free memory, or give it as a "
            "folder of Parquet files with a store"
        ) from error
    except Exception as error:
        raise _corrupt(path, error) from error


def _corrupt(path: Path, error: Exception) -> DataError:
    said = " ".join(str(error).split())[:200]
    return DataError(
        f"{path} is truncated or corrupt ({type(error).__name__}: {said}); replace it with a whole "
        "copy"
    )


def open_binary(path: Path) -> BinaryIO:
    """A file's bytes, unpacked where its name ends in .gz, and then no more than are of use."""
    if not path.name.lower().endswith(".gz"):
        return open(path, "rb")
    return io.BufferedReader(_Unpacked(path), 1 << 17)


class _Unpacked(io.RawIOBase):
    """What a gzip holds. Raises ValueError where that is too much for its size."""

    def __init__(self, path: Path):
        self.n_packed, self.n_read = path.stat().st_size, 0
        self.stream = gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        block = self.stream.read1(len(buffer))
        buffer[: len(block)] = block
        self.n_read += len(block)
        check_unpacked(self.n_read, self.n_packed)
        return len(block)

    def close(self) -> None:
        self.stream.close()
        super().close()


def require_columns(present: Iterable[str], wanted: Iterable[str], where: str) -> None:
    """Raise DataError naming the `wanted` columns that are not `present`, and those that are."""
    present = [str(column) for column in present]
    missing = [column for column in wanted if column not in present]
    if missing:
        raise DataError(
            f"{where} has no column {', '.join(map(repr, missing))}; its columns are "
            f"{', '.join(map(repr, present))}. Name yours, or check the separator."
        )


def check_range(ratings: "np.ndarray", bounds: tuple[float, float], where) -> None:
    """Raise DataError at the first rating that is NaN or out of `bounds`.

    `where(position)` names the place of a rating in its file.
    """
    bad = ~((ratings >= bounds[0]) & (ratings <= bounds[1]))
    if bad.any():
        first = int(bad.argmax())
        raise DataError(
            f"{where(first)}: rating {ratings[first]:g} is outside {bounds[0]:g} to {bounds[1]:g}; "
            "correct or drop the row"
        )


def sha256_of(paths: Iterable[Path]) -> str:
    """The sha256 (hex) of a file; of several, that of their digests in the order given."""
    digests = [_digest(path, hashlib.sha256) for path in paths]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def require_checksum(path: Path, expected: str, origin: str) -> None:
    """Raise DownloadError unless `path` has the checksum "<md5|sha256|git-blob>:<hex>"."""
    algorithm, wanted = expected.split(":")
    if algorithm == "git-blob":
        header = f"blob {path.stat().st_size}\0".encode()
        found = _digest(path, lambda: hashlib.sha1(header, usedforsecurity=False))
    else:
        found = _digest(path, algorithm)
    if found != wanted:
        raise DownloadError(
            f"{origin}: wrong checksum: {algorithm} {found}, expected {wanted}. The file is "
            "truncated or has changed; nothing was kept. Try again, or put the right files in a "
            "folder named by CELSA_DATA."
        )


def _digest(path: Path, algorithm) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
