"""Rows as a study stores them, for tests that care about a few of their values."""


def method_row(**values) -> dict:
    """A row of a model with everything that a stored one must have, and `values`."""
    usual = {
        "hash": "0" * 16,
        "method": "CompressedELSA",
        "label": "Compressed ELSA",
        "budget_bytes": 64,
        "params": {},
        "seed": 0,
        "trials": [],
        "mean": {"ndcg@100": 0.5},
        "stderr": {"ndcg@100": 0.01},
        "seconds": 1.0,
        "seconds_fit": 0.9,
        "seconds_evaluate": 0.1,
    }
    return usual | values
