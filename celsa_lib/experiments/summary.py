"""A small table about an experiment: who takes part."""

import pandas as pd

TRAINING = {
    "choosing": "training users while choosing",
    "reported": "training users of the reported models",
}


def describe(manifest: dict) -> pd.DataFrame:
    """Users, items and settings of an experiment by its manifest: columns what, value.

    Training users are counted by the run: where the test users are a set of their own, others are
    left out besides. Results stored before it did so are shown without.
    """
    config, data = manifest["config"], manifest["data"]
    counted = manifest.get("users", {})
    users, items = data["users"], data["items"]
    density = data["interactions"] / (users * items)
    facts = {
        "data": data["name"],
        "users × items": f"{users:,} × {items:,}",
        "interactions": f"{data['interactions']:,} ({density:.1%} of all pairs)",
        "test users": f"{counted.get('test', config['n_test']):,}",
        "validation users": f"{config['n_val']:,}",
        **{what: f"{counted[part]:,}" for part, what in TRAINING.items() if part in counted},
        "hold-out": f"{config['n_folds']} folds of {config['fraction']:.0%}, "
        f"{config['fold_method']}",
        "seeds": f"split {config['split_seed']}, folds {config['fold_seed']}, "
        f"training {', '.join(map(str, config['seeds']))}",
    }
    return pd.DataFrame(facts.items(), columns=["what", "value"])
