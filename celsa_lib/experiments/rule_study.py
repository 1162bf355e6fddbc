"""The recommended setting takes its numbers from the data by one rule: what would a search find?

Beside the rule each of its numbers is chosen on validation users, one at a time, and its start by
neighbourhoods is held against other sizes of them and the whole inverse. All on the test users.
"""

from collections.abc import Sequence

from celsa_lib.experiments.config import ExperimentConfig, at_budgets
from celsa_lib.experiments.profiles import PRECISION, SMALLEST, configuration
from celsa_lib.experiments.synthetic_sizes import settings_of_size, with_users_of

GRIDS = {
    "learning_rate": (0.02, 0.03, 0.04, 0.06, 0.1),
    "dropout": (0.2, 0.35, 0.5, 0.65, 0.8),
    "reg": (30.0, 100.0, 300.0, 1000.0),
    "length_exponent": (0.0, 0.5, 1.0),
}
EVERY_ITEM = 1_000_000  # neighbours: more than any set here has items, so the inverse is whole
NEIGHBOURHOODS = (25, 200, EVERY_ITEM)  # beside the rule's
AT_SMALLEST = {  # where rows have four nonzeros
    "floor": (1, 2, 3, 4),
    "n_neighbours": (20, 50, 200),
    "reg": (30.0, 100.0, 300.0, 1000.0),
    "learning_rate": (0.03, 0.06, 0.1),
    "epochs": (10, 20),
}


def rule(
    dataset: str,
    profile: str,
    seeds: Sequence[int],
    budgets: Sequence[int] = (512, 64),
    n_items: int | None = None,
) -> ExperimentConfig:
    """The recommended setting's rule beside choices on validation users, and beside other starts.

    n_items: of a synthetic set, one of SIZES. Raises ConfigError.
    """
    ours = {"recipe": "recommended", "precision": PRECISION}
    families = [at_budgets("CompressedELSA", budgets, **ours)]
    families += [
        at_budgets("CompressedELSA", budgets, {name: values}, **ours)
        for name, values in GRIDS.items()
    ]
    families += [
        at_budgets("CompressedELSA", budgets, n_neighbours=n, **ours) for n in NEIGHBOURHOODS
    ]
    methods = [method for family in families for method in family]
    settings = settings_of_size(dataset, profile, n_items)
    return with_users_of(settings, configuration(dataset, profile, methods, seeds))


def smallest(
    dataset: str, profile: str, seeds: Sequence[int], n_items: int | None = None
) -> ExperimentConfig:
    """The recommended setting at 32 bytes: what choices on validation users would add to its rule.

    n_items: of a synthetic set, one of SIZES. Raises ConfigError.
    """
    ours, size = {"recipe": "recommended", "precision": PRECISION}, (SMALLEST,)
    methods = list(at_budgets("CompressedELSA", size, **ours))
    for name, values in AT_SMALLEST.items():
        methods += at_budgets("CompressedELSA", size, {name: values}, **ours)
    settings = settings_of_size(dataset, profile, n_items)
    return with_users_of(settings, configuration(dataset, profile, methods, seeds))
