"""Tables of what was tried on purpose: damaged files."""

import pandas as pd

from celsa_lib.report.cost import section
from celsa_lib.results import Result


def fuzz_table(result: Result) -> pd.DataFrame:
    """Damaged files by format: how many were tried, and what came of them; all of them at last."""
    columns = ["format", "inputs", "refused", "as before", "as other content", "faults"]
    lines = section(result, "fuzz")[columns]
    every = lines.drop(columns="format").sum().to_dict() | {"format": "all"}
    found = pd.concat([lines, pd.DataFrame([every])[columns]], ignore_index=True)
    return found.rename(columns={"inputs": "tried", "faults": "neither"})
