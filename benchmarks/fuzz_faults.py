"""Faults put into what a file holds: its bytes, its JSON values, the members of an archive."""

import io
import json
from zipfile import BadZipFile, ZipFile

import numpy as np

from celsa_lib.arrays import checksum_of

MOST_BYTES = 64  # that one fault changes
WRONG = ("", "x", "NaN", "-1", "1e999", "9" * 20, "\x00", '"', "é", "\n", ",,,", "[[[", "null")
VALUES = (None, True, -1, 0.5, float("nan"), 10**20, "x", [], {}, [[[]]], "\ud800", 2**31, "<b>")


def mutated(content: bytes, rng: np.random.Generator, resealed: bool = False) -> bytes:
    """`content` with one fault or two; half of the faults know its format, where that is known.

    resealed: an archive gets the checksum of what it holds then, as whoever forges one would do.
    """
    if resealed or rng.random() < 0.5:
        for inside in (_in_archive, _in_json):
            found = inside(content, rng, resealed)
            if found is not None:
                return found
    for _ in range(rng.integers(1, 3)):
        content = _in_bytes(content, rng)
    return content


def _in_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """`content` with bytes changed, lost, repeated, moved or put in at one place."""
    start = int(rng.integers(len(content) + 1))
    end = min(len(content), start + int(rng.integers(1, MOST_BYTES)))
    before, part, after = content[:start], content[start:end], content[end:]
    flipped = bytes(byte ^ (1 << int(rng.integers(8))) for byte in part[:1]) + part[1:]
    faults = (
        before,  # cut
        before + after,
        before + part * int(rng.integers(2, 5)) + after,
        before + rng.bytes(len(part)) + after,
        before + bytes(len(part)) + after,
        before + WRONG[rng.integers(len(WRONG))].encode() + after,
        after + before + part,
        before + flipped + after,
    )
    return faults[rng.integers(len(faults))]


def _in_json(content: bytes, rng: np.random.Generator, resealed: bool) -> bytes | None:
    """A JSON text with a value of another kind, or a key or an element gone or twice."""
    try:
        whole = json.loads(content)
    except ValueError:
        return None
    places = list(_places(whole))
    if not places:
        return None
    holder, key = places[rng.integers(len(places))]
    fault = rng.integers(4)
    if fault == 0:
        del holder[key]
    elif fault == 1 and isinstance(holder, list):
        holder.append(holder[key])
    elif fault == 2 and isinstance(holder[key], int | float):
        holder[key] += int(rng.integers(1, 9))
    else:
        holder[key] = VALUES[rng.integers(len(VALUES))]
    return json.dumps(whole).encode()


def _places(value):
    """(list or dictionary, key) of every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inside if isinstance(value, dict | list) else ():
        yield value, key
        if isinstance(one, dict | list):
            yield from _places(one)


def _in_archive(content: bytes, rng: np.random.Generator, resealed: bool) -> bytes | None:
    """An .npz that is whole as an archive, with a member changed, renamed, swapped, gone or new."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            arrays = {n: np.load(archive.open(n)) for n in archive.namelist()}
            stored = all(not info.compress_type for info in archive.infolist())
    except (BadZipFile, ValueError):
        return None
    names = [name for name in arrays if not (resealed and name == "checksum.npy")]
    name, other = (str(one) for one in rng.choice(names, 2))
    if resealed and name == "header.npy":
        arrays[name] = _header(arrays[name], rng)
    else:
        _change(arrays, name, other, rng)
    if resealed:
        whole = {n.removesuffix(".npy"): a for n, a in arrays.items() if n != "checksum.npy"}
        arrays["checksum.npy"] = np.array(checksum_of(whole))
    file = io.BytesIO()
    save = np.savez if stored else np.savez_compressed
    save(file, **{n.removesuffix(".npy"): array for n, array in arrays.items()})
    return file.getvalue()


def _change(arrays: dict, name: str, other: str, rng: np.random.Generator) -> None:
    array = arrays[name]
    fault = rng.integers(6)
    if fault == 0:
        del arrays[name]
    elif fault == 1:
        arrays["renamed.npy"] = arrays.pop(name)
    elif fault == 2:
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif fault == 3 and array.ndim:
        arrays[name] = array[: int(rng.integers(len(array) + 1))]
    elif fault == 4 and array.dtype.kind in "iuf":
        arrays[name] = array.astype(rng.choice(["f8", "i8", "i4", "u1", "c8", "U9", "f4"]))
    else:
        changed = array.copy().reshape(-1)
        if changed.size:
            place = int(rng.integers(changed.size))
            raw = np.frombuffer(rng.bytes(changed.itemsize), np.uint8)
            if changed.dtype.kind == "U":
                changed[place] = "x"
            else:
                changed.view(np.uint8).reshape(changed.size, -1)[place] = raw
        arrays[name] = changed.reshape(array.shape)


def _header(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array(_in_json(str(array).encode(), rng, True).decode())
