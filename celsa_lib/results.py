"""Stored results: rows and their manifest as small JSON, users' nDCG@100 beside it; no pickle."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from celsa_lib.errors import StorageError
from celsa_lib.files import write_whole

BUDGETS = (1024, 512, 256, 128, 64)  # bytes per item, as in Table 1
GRADUAL = ("exponential", "linear", "step-wise")  # schedules that lower k in stages
FORMAT = "celsa-result"
VERSION = 1
STEPS = 2**16 - 1  # nDCG@100 of a user is stored as a whole number of 1/STEPS


@dataclass
class Result:
    """rows: one a method, budget and seed. trials: validation nDCG@100 of what was tried, by hash.

    users: nDCG@100 of each test user with a target, by row hash; the same users in every row.
    """

    manifest: dict
    rows: list[dict] = field(default_factory=list)
    trials: dict[str, float] = field(default_factory=dict)
    users: dict[str, np.ndarray] = field(default_factory=dict)

    def select(self, **values) -> list[dict]:
        """Rows with these values, each looked up in the row and in its params."""
        return [row for row in self.rows if all(_value(row, k) == v for k, v in values.items())]

    def by_user(self, rows: list[dict]) -> np.ndarray:
        """nDCG@100 of each user, mean over `rows` (the seeds of a method). Raises StorageError."""
        absent = [row["hash"] for row in rows if row["hash"] not in self.users]
        if absent or not rows:
            raise StorageError(
                f"no per-user results for rows {absent or '(none selected)'}; run the study again"
            )
        return np.mean([self.users[row["hash"]] for row in rows], axis=0)


def _earlier_commits(result: Result) -> list[str]:
    """Commits of rows that the last run, which the manifest is about, took as they were."""
    commits = {row["commit"] for row in result.rows if "commit" in row}
    return sorted(commits - {result.manifest.get("code", {}).get("commit")})


def _value(row: dict, name: str):
    return row[name] if name in row else row.get("params", {}).get(name)


def save_result(result: Result, path: str | Path) -> Path:
    """Write `path` and, where there are users, users_path(path); each whole or not at all.

    Raises StorageError.
    """
    path = Path(path)
    if result.users:
        arrays = {k: np.rint(v * STEPS).astype(np.uint16) for k, v in result.users.items()}
        write_whole(users_path(path), lambda file: np.savez_compressed(file, **arrays))
    content = {"format": FORMAT, "version": VERSION, "manifest": result.manifest}
    content |= {"trials": result.trials, "rows": []}
    rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in result.rows)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    text = text.removesuffix("[]\n}") + f"[\n{rows}\n ]\n}}\n"  # a row a line
    return write_whole(path, lambda file: file.write(text.encode()))


def load_result(path: str | Path) -> Result:
    """Read what `save_result` wrote. Raises StorageError for anything else; never unpickles."""
    path = located(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["format"], content["version"]
        result = Result(content["manifest"], content["rows"], content.get("trials", {}))
        if users_path(path).exists():
            with np.load(users_path(path), allow_pickle=False) as stored:
                result.users = {name: stored[name] / STEPS for name in stored.files}
        earlier = _earlier_commits(result)
        result.manifest |= {"kept from": earlier} if earlier else {}
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; run the study that writes it") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise StorageError(
            f"{path} is not a file of results, or is damaged ({error!r}); delete it, then run again"
        ) from error
    if found != (FORMAT, VERSION):
        raise StorageError(
            f"{path} is {found}, this celsa reads {(FORMAT, VERSION)}; delete it, then run again"
        )
    return result


def located(path: str | Path) -> Path:
    """`path`, or the same from the folder above: a notebook opened in Jupyter runs in its own."""
    path = Path(path)
    above = Path("..") / path
    return above if above.exists() and not path.exists() else path


def users_path(path: str | Path) -> Path:
    """Where the users of the result `path` are: a.json → a.users.npz."""
    return Path(path).with_suffix(".users.npz")
