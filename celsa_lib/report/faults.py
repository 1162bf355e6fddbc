"""Tables of what was tried: damaged files, faults, troubles; how long a comparison takes."""

import pandas as pd

from celsa_lib.report.cost import section
from celsa_lib.results import Result


def fuzz_table(result: Result) -> pd.DataFrame:
    """Damaged files by format: how many were tried, and what came of them; all of them at last."""
    columns = ["format", "inputs", "refused", "as before", "as other content", "faults"]
    found = _with_sum(section(result, "fuzz")[columns])
    return found.rename(columns={"inputs": "tried", "faults": "neither"})


def faults_table(result: Result) -> pd.DataFrame:
    """Faults injected into commands by kind, and how many were survived; all of them at last."""
    return _with_sum(section(result, "faults")[["fault", "injected", "survived"]])


def trouble_counts(result: Result) -> pd.DataFrame:
    """Troubles of other packages by kind: how many were tried here, and how many came out right."""
    by_kind = section(result, "troubles").groupby("kind", sort=False)["right"]
    return _with_sum(by_kind.agg(tried="size", right="sum").reset_index())


def troubles_table(result: Result) -> pd.DataFrame:
    """Each trouble: who reported it, what ought to come, and what came, as it was told."""
    found = section(result, "troubles")
    return pd.DataFrame({
        "reported as": found["source"],
        "trouble": found["trouble"],
        "what is right": found["wanted"],
        "what came": found["came"],
        "it is": found["right"].map({1: "right", 0: "wrong"}),
    })  # fmt: skip


def compare_time_table(result: Result) -> pd.DataFrame:
    """`celsa compare` on one file: its size, what was run, and how long that took."""
    lines = section(result, "compare time")
    return pd.DataFrame({
        "command": lines["command"],
        "users": lines["users"].map("{:,}".format),
        "items": lines["items"].map("{:,}".format),
        "interactions": lines["interactions"].map("{:,}".format),
        "threads": lines["threads"],
        "models": lines["models"],
        "trials": lines["trials"],
        "seconds": lines["seconds"],
        "of CPU time": lines["cpu seconds"],
    })  # fmt: skip


def _with_sum(lines: pd.DataFrame) -> pd.DataFrame:
    """`lines`, and one more with the sums of all columns but the first."""
    first, *counts = lines.columns
    every = pd.DataFrame([{first: "all"} | lines[counts].sum().to_dict()])
    return pd.concat([lines, every], ignore_index=True)
