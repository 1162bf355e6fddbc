"""A small table about an experiment: who takes part."""

import pandas as pd


def describe(manifest: dict) -> pd.DataFrame:
    """Users, items and settings of an experiment by its manifest: columns what, value."""
    config, data = manifest["config"], manifest["data"]
    users, items = data["users"], data["items"]
    density = data["interactions"] / (users * items)
    facts = {
        "data": data["name"],
        "users × items": f"{users:,} × {items:,}",
        "interactions": f"{data['interactions']:,} ({density:.1%} of all pairs)",
        "test users": f"{config['n_test']:,}",
        "validation users": f"{config['n_val']:,}",
        "training users while choosing": f"{users - config['n_test'] - config['n_val']:,}",
        "training users of the reported models": f"{users - config['n_test']:,}",
        "hold-out": f"{config['n_folds']} folds of {config['fraction']:.0%}, "
        f"{config['fold_method']}",
        "seeds": f"split {config['split_seed']}, folds {config['fold_seed']}, "
        f"training {', '.join(map(str, config['seeds']))}",
    }
    return pd.DataFrame(facts.items(), columns=["what", "value"])
