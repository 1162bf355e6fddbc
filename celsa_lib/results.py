"""Stored results: rows and the runs that computed them as small JSON, users' nDCG@100 beside it.

A row's `hash` changes with all that decides its numbers, so that it is found again; its `digest`
with the numbers themselves and those of its users, so that a changed one is noticed. The file's
own digest goes over the digests of its rows and all else, so that a missing row is. No pickle.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NotRequired

import numpy as np
from typing_extensions import TypedDict

from celsa_lib.arrays import plain_arrays
from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.files import write_whole
from celsa_lib.rows import BytesRow, DataSizeRow, DeviationRow, MethodRow, SectionRow
from celsa_lib.typed import checked, read_json

BUDGETS = (1024, 512, 256, 128, 64)  # bytes per item, as in Table 1
GRADUAL = ("exponential", "linear", "step-wise")  # schedules that lower k in stages
FORMAT = "celsa-result"
VERSION = 2
METHOD_STUDY, DATA_SIZE, DEVIATIONS = "methods", "data size", "deviations"
SEGMENTS, BENCHMARK, BYTES = "segments", "benchmark", "bytes"
PLAIN = "float32"  # the form of a model as it was fitted, in rows of BYTES
KINDS = {  # of results, and what their rows are
    METHOD_STUDY: MethodRow,
    DATA_SIZE: DataSizeRow,
    DEVIATIONS: DeviationRow,
    SEGMENTS: SectionRow,
    BENCHMARK: SectionRow,
    BYTES: BytesRow,
}
UNKNOWN = "unknown"  # what the record of an older row does not say
RESTORE = "restore it from version control, or delete it and run the study again"


class StoredManifest(TypedDict):
    """What a file of results says of its runs."""

    kind: NotRequired[str]
    runs: NotRequired[dict[str, dict]]


class StoredRow(TypedDict):
    """What rows of every kind are found by."""

    hash: NotRequired[str]
    run: NotRequired[str]


class StoredResult(TypedDict):
    """A file of results."""

    manifest: StoredManifest
    rows: list[StoredRow]
    trials: NotRequired[dict[str, float]]
    digest: NotRequired[str]


@dataclass
class Result:
    """rows: one per method, budget and seed. trials: validation nDCG@100 by hash of the choice.

    Each row names its run in manifest["runs"]: commit, clean (no tracked file differed from it),
    machine, versions, threads and date, "unknown" or None where an older record does not say.
    users: nDCG@100 of each test user with a target, by row hash; the same users in every row.
    path: the file that it was read from. digest: what that file says of itself, None where an older
    one says nothing.
    """

    manifest: dict
    rows: list[dict] = field(default_factory=list)
    trials: dict[str, float] = field(default_factory=dict)
    users: dict[str, np.ndarray] = field(default_factory=dict)
    path: Path | None = None
    digest: str | None = None

    @property
    def kind(self) -> str:
        """What its rows are about, one of KINDS."""
        return self.manifest.get("kind", METHOD_STUDY)

    @property
    def is_live(self) -> bool:
        """Whether it was computed now, and not read from a file."""
        return self.path is None

    def select(self, **values) -> list[dict]:
        """Rows with these values, each looked up in the params and in the row."""
        return [row for row in self.rows if all(_value(row, k) == v for k, v in values.items())]

    def by_user(self, rows: list[dict]) -> np.ndarray:
        """nDCG@100 of each user, mean over `rows` (the seeds of a method). Raises StorageError."""
        absent = [row["hash"] for row in rows if row["hash"] not in self.users]
        if absent or not rows:
            raise StorageError(
                f"no per-user results for rows {absent or '(none selected)'}; run the study again"
            )
        return np.mean([self.users[row["hash"]] for row in rows], axis=0, dtype=np.float64)

    @property
    def run(self) -> str:
        """The id of the latest of the runs: that of rows which are computed now."""
        return next(reversed(self.manifest.get("runs", {})), UNKNOWN)

    def changed_rows(self) -> list[dict]:
        """Rows whose digest is not that of their values and their users': edited, or damaged."""
        return [row for row in self.rows if row.get("digest") != self._digest(row)]

    def is_altered(self) -> bool:
        """Whether rows were added or removed, or manifest or trials changed, since."""
        return self.digest is not None and self.digest != self.whole_digest()

    def whole_digest(self) -> str:
        """Sixteen hex digits over manifest, trials and the digests of the rows."""
        whole = [self.manifest, self.trials, [row.get("digest") for row in self.rows]]
        text = json.dumps(json.loads(json.dumps(whole)), sort_keys=True)  # lists, as they are read
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def intact_rows(self) -> list[dict]:
        """Rows that need not be computed again: not changed, and their users' values are there."""
        changed = {id(row) for row in self.changed_rows()}
        return [r for r in self.rows if r.get("hash") in self.users and id(r) not in changed]

    def seal(self) -> None:
        """Give each row its run, the latest where it names none, and its digest.

        Runs that no row names any more go, but for the latest; the others say how many do.
        """
        named = [{"run": self.run} | row for row in self.rows]
        self.rows = [row | {"digest": self._digest(row)} for row in named]
        rows = Counter(row["run"] for row in self.rows)
        self.manifest["runs"] = {
            name: run | {"rows": rows[name]}
            for name, run in self.manifest.get("runs", {}).items()
            if rows[name] or name == self.run
        }

    def _digest(self, row: dict) -> str:
        """Sixteen hex digits over a row and the nDCG@100 of its users, (users,) float32."""
        values = {name: value for name, value in row.items() if name != "digest"}
        found = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
        users = self.users.get(row.get("hash"))
        if users is not None:
            found.update(np.ascontiguousarray(users, dtype="<f4").tobytes())
        return found.hexdigest()[:16]


def fit_seconds(row: dict) -> float:
    """Seconds of fitting; of the whole path where several budgets were trained on one."""
    return row["path"]["seconds"] if "path" in row else row["seconds_fit"]


def _value(row: dict, name: str):
    params = row.get("params", {})
    return params[name] if name in params else row.get(name)


def save_result(result: Result, path: str | Path) -> Path:
    """Write `path` and, where there are users, users_path(path); each whole or not at all.

    Rows are sealed; a run that computed none of them is not written. Without users, an older file
    of them goes. Raises StorageError.
    """
    path = Path(path).expanduser()
    result.seal()
    if result.users:
        arrays = {k: np.asarray(v, dtype=np.float32) for k, v in result.users.items()}
        write_whole(users_path(path), lambda file: np.savez_compressed(file, **arrays))
    runs = {name: run for name, run in result.manifest["runs"].items() if run["rows"]}
    written = replace(result, manifest=result.manifest | {"runs": runs})
    content = {"format": FORMAT, "version": VERSION, "digest": written.whole_digest()}
    content |= {"manifest": written.manifest, "trials": result.trials, "rows": []}
    rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in result.rows)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    text = text.removesuffix("[]\n}") + f"[\n{rows}\n ]\n}}\n"  # a row per line
    path = write_whole(path, lambda file: file.write(text.encode()))
    if not result.users:
        users_path(path).unlink(missing_ok=True)
    return path


def load_result(path: str | Path) -> Result:
    """Read what `save_result` wrote. Raises StorageError for anything else; never unpickles."""
    path = located(path)
    if not path.exists():
        raise StorageError(f"there is no file {path}; run the study that writes it")
    if not path.is_file():
        raise StorageError(f"{path} is no file, and results go on from one; name another")
    content = read_json(path, StoredResult, FORMAT, VERSION, "results", RESTORE)
    result = Result(content["manifest"], content["rows"], content.get("trials", {}), path=path)
    result.digest = content.get("digest")
    if users_path(path).exists():
        result.users = _users(users_path(path))
    try:
        checked(list[KINDS[result.kind]], result.rows)
    except (KeyError, ConfigError) as error:
        wrong = f"{path} has rows that are not of its kind, {result.kind} ({error})"
        raise StorageError(f"{wrong}; delete it, then run again") from error
    return result


def _users(path: Path) -> dict[str, np.ndarray]:
    """Users' values by the hash of their row, each (users,) float32. Raises StorageError."""
    users = plain_arrays(path, "users' values", RESTORE)
    for name, values in users.items():
        if values.dtype != np.float32 or values.ndim != 1:
            raise StorageError(
                f"{path} has {values.ndim} axes of {values.dtype} for row {name}, not a float32 "
                f"per user; {RESTORE}"
            )
    return users


def load_intact(path: str | Path) -> Result:
    """`load_result`, for what is shown. Raises StorageError too for what was changed since."""
    result = load_result(path)
    what = f"{len(changed)} rows" if (changed := result.changed_rows()) else "rows or a record"
    if changed or result.is_altered():
        raise StorageError(
            f"{path} has {what} that are not as they were computed; restore the file and "
            f"{users_path(path).name} from version control, or run the study again"
        )
    return result


def located(path: str | Path) -> Path:
    """`path`, or the same from the folder above: a notebook opened in Jupyter runs in its own."""
    path = Path(path).expanduser()
    above = Path("..") / path
    return above if above.exists() and not path.exists() else path


def users_path(path: str | Path) -> Path:
    """Where the users of the result `path` are: a.json → a.users.npz."""
    return Path(path).expanduser().with_suffix(".users.npz")
