"""Arrays and a header in one .npz file, verified before any of it is used; no pickle."""

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZIP_STORED, ZipFile

from celsa_lib.errors import CelsaError, ConfigError, StorageError
from celsa_lib.files import check_unpacked, is_stream, write_whole

if TYPE_CHECKING:
    import numpy as np

SAVE_AGAIN = "save it again"


def save_arrays(path: str | Path, header: dict, arrays: Mapping, compress: bool = True) -> Path:
    """Write `header` (plain JSON values, with format and version) and arrays. Raises StorageError.

    Arrays of objects are written as text. Only what is not compressed can be mapped into memory.
    """
    import numpy as np

    plain = {k: a.astype(str) if a.dtype == object else a for k, a in arrays.items()}
    plain["header"] = np.array(json.dumps(header))
    plain["checksum"] = np.array(checksum_of(plain))
    save = np.savez_compressed if compress else np.savez
    return write_whole(path, lambda file: save(file, **plain))


def plain_arrays(path: str | Path, what: str, remedy: str = SAVE_AGAIN) -> dict[str, "np.ndarray"]:
    """All arrays of an .npz file, by name. Nothing is unpickled.

    Raises StorageError, with what to do (`remedy`), for a damaged file: one that claims more than
    it holds is refused before memory is taken for it.
    """
    with _reading(path, what, remedy), ZipFile(Path(path).expanduser()) as archive:
        return {name: _read(archive, name) for name in _names(archive)}


def format_of(path: str | Path, what: str) -> str:
    """The format that `save_arrays` wrote into a file; `what` it should be. Raises StorageError."""
    with _reading(path, what, SAVE_AGAIN), ZipFile(Path(path).expanduser()) as archive:
        return _header(archive)["format"]


@contextmanager
def stored_arrays(
    path: str | Path, form: str, version: int, what: str, remedy: str = SAVE_AGAIN
) -> Iterator[tuple[dict, dict[str, "np.ndarray"]]]:
    """Header and arrays that `save_arrays` wrote, to be put together inside.

    What is read or raised there of another form, another version, another checksum or a damaged
    file is a StorageError that calls it no file of `what` and says what to do (`remedy`).
    """
    with _verified(path, form, version, what, remedy, _read) as (header, arrays):
        yield header, arrays


@contextmanager
def map_arrays(
    path: str | Path, form: str, version: int, what: str
) -> Iterator[tuple[dict, dict[str, "np.ndarray"]]]:
    """As `stored_arrays`, but the arrays are mapped into memory, not read.

    They were saved without compression, and are read-only.
    """
    with _verified(path, form, version, what, SAVE_AGAIN, _mapped) as (header, arrays):
        yield header, arrays


@contextmanager
def _verified(
    path: str | Path,
    form: str,
    version: int,
    what: str,
    remedy: str,
    read: Callable[[ZipFile, str], "np.ndarray"],
) -> Iterator[tuple[dict, dict[str, "np.ndarray"]]]:
    with _reading(path, what, remedy):
        with ZipFile(Path(path).expanduser()) as archive:
            header = _header(archive)
            if (header["format"], header["version"]) != (form, version):
                raise StorageError(
                    f"{path} holds {header['format']} version {header['version']}, this celsa "
                    f"reads {form} version {version}; make it again and save it"
                )
            arrays = {name: read(archive, name) for name in _names(archive)}
        if str(arrays.pop("checksum")) != checksum_of(arrays):
            raise ValueError("its checksum is another")
        del arrays["header"]
        yield header, arrays


@contextmanager
def _reading(path: str | Path, what: str, remedy: str) -> Iterator[None]:
    """Turn what goes wrong with a file of `what` into a StorageError.

    Every exception: a damaged archive raises one of two dozen kinds, MemoryError among them.
    """
    if is_stream(path):
        raise StorageError(f"{path} is a pipe or a device, no file; write what it holds to a file")
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; check the path") from error
    except ConfigError as error:  # of a header that is checked as plain values
        raise StorageError(f"{path} is not a file of {what} ({error}); {remedy}") from error
    except CelsaError:
        raise
    except Exception as error:
        raise StorageError(f"{path} is not a file of {what}, or is damaged; {remedy}") from error


def _names(archive: ZipFile) -> list[str]:
    names = archive.namelist()
    if len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
        raise ValueError("members that no array has")
    members = archive.infolist()
    check_unpacked(sum(m.file_size for m in members), sum(m.compress_size for m in members))
    return [name.removesuffix(".npy") for name in names]


def _header(archive: ZipFile) -> dict:
    return json.loads(str(_read(archive, "header")))


def _read(archive: ZipFile, name: str) -> "np.ndarray":
    """The array `name`, once its size is known to be that of its member."""
    import numpy as np

    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        _check_size(file, info.file_size)
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _mapped(archive: ZipFile, name: str) -> "np.ndarray":
    """The array `name`, mapped into memory."""
    import numpy as np

    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with open(archive.filename, "rb") as file:
        file.seek(info.header_offset)
        file.seek(sum(struct.unpack("<26x2H", file.read(30))), 1)  # past name and extra field
        begin = file.tell()
        shape, dtype = _check_size(file, info.file_size, begin)
        if 0 in shape:  # nothing to map
            return np.empty(shape, dtype)
        return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape))


def _check_size(file: BinaryIO, n_bytes: int, begin: int = 0) -> tuple[tuple[int, ...], "np.dtype"]:
    """Shape and dtype of the array that begins at `begin`. Raises ValueError unless it has
    `n_bytes` with what stands before it.
    """
    import numpy as np

    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    left = n_bytes - (file.tell() - begin)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f"an array of {shape} {dtype} does not take {left} bytes")
    return shape, dtype


def check_csr(matrix) -> None:
    """Raise ValueError unless a CSR matrix (or CSC) says of each value a place that it has.

    SciPy's own loops would read past the end. Its check looks at nothing where the last of the
    pointers says that nothing is stored, whatever the others say.
    """
    if (matrix.indptr[1:] < matrix.indptr[:-1]).any():
        raise ValueError("its pointers do not ascend")
    matrix.check_format(full_check=True)


def checksum_of(arrays: Mapping[str, "np.ndarray"]) -> str:
    """SHA-256 over names, types, shapes and values."""
    import numpy as np

    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {arrays[name].shape} ".encode())
        found.update(array.view(np.uint8).data if array.nbytes else b"")
    return found.hexdigest()
