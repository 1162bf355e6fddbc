"""Results as small JSON files: rows and the manifest, written whole or not at all."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from celsa_lib.errors import StorageError
from celsa_lib.evaluation import Evaluation
from celsa_lib.files import write_whole

FORMAT = "celsa-result"
VERSION = 1


@dataclass
class Result:
    """rows: one a method, budget and seed; evaluations: by row hash, kept in memory only."""

    manifest: dict
    rows: list[dict] = field(default_factory=list)
    evaluations: dict[str, Evaluation] = field(default_factory=dict)

    def evaluation(self, label: str, budget_bytes: int | None = None) -> Evaluation:
        """The first evaluation of the method `label`, at `budget_bytes` if given."""
        for row in self.rows:
            if row["label"] == label and budget_bytes in (None, row["budget_bytes"]):
                return self.evaluations[row["hash"]]
        raise StorageError(f"this result has no {label} at {budget_bytes} B; look at its rows")


def save_result(result: Result, path: str | Path) -> Path:
    """Write rows and manifest as JSON, atomically. Raises StorageError."""
    content = {"format": FORMAT, "version": VERSION, "manifest": result.manifest}
    text = json.dumps(content | {"rows": result.rows}, indent=1, ensure_ascii=False) + "\n"
    return write_whole(path, lambda file: file.write(text.encode()))


def load_result(path: str | Path) -> Result:
    """Read what `save_result` wrote (no evaluations). Raises StorageError for anything else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        found = content["format"], content["version"]
        rows, manifest = content["rows"], content["manifest"]
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}; check the path") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path} is not a file of results, or is damaged ({error!r}); run it again"
        ) from error
    if found != (FORMAT, VERSION):
        raise StorageError(f"{path} is {found}, this celsa reads {(FORMAT, VERSION)}; run it again")
    return Result(manifest, rows)
