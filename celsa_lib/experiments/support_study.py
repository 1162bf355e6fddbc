"""Which entries the rows have: pruned, moving, regrown by gradient, or anchored at items.

With the paper's training, where each has as many epochs and chooses its learning rate on
validation users; and regrowth within the recommended setting, which chooses how much is exchanged.
"""

from collections.abc import Sequence

from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.profiles import LEARNING_RATES, PRECISION, configuration
from celsa_lib.experiments.synthetic_sizes import settings_of_size, with_users_of
from celsa_lib.models import make_schedule

EXCHANGED = 0.3  # of a row that is exchanged at first, as RigL's authors do (Evci et al. 2020)
EXCHANGED_SHARES = {"regrowth": (0.1, 0.3, 0.5)}
LONGER = 5  # times as many epochs


def supports(
    dataset: str,
    profile: str,
    seeds: Sequence[int],
    budgets: Sequence[int] = (128, 64),
    n_items: int | None = None,
) -> ExperimentConfig:
    """Supports that are pruned, moving, regrown by gradient or anchored, and both together.

    n_items: of a synthetic set, one of SIZES. Raises ConfigError.
    """
    settings = settings_of_size(dataset, profile, n_items)
    ours = {"recipe": "recommended", "precision": PRECISION}
    methods: list[MethodConfig] = []
    for size in budgets:
        methods += _with_the_papers_training(settings.ablation(), size)
        methods += at_budgets("CompressedELSA", (size,), **ours)
        methods += at_budgets("CompressedELSA", (size,), EXCHANGED_SHARES, **ours)
    return with_users_of(settings, configuration(dataset, profile, methods, seeds))


def _with_the_papers_training(paper: dict, size: int) -> list[MethodConfig]:
    """Each support at `size` bytes per item; `paper`: parameters of the paper's procedure.

    A start at random may also train for longer, as few exchanges find few entries.
    """
    stages = make_schedule("exponential", paper["width"], size // 8, paper["epochs"])
    epochs = sum(stage.epochs for stage in stages)
    paper = {name: value for name, value in paper.items() if name not in LEARNING_RATES}
    anchored = {name: value for name, value in paper.items() if name != "width"}
    anchored |= {"epochs": epochs, "support": "anchored"}
    random = {name: value for name, value in paper.items() if name != "epochs"}
    random |= {"schedule": "constant", "regrowth": EXCHANGED}
    longer = {"epochs": (epochs, LONGER * epochs)}
    every = (
        (paper, LEARNING_RATES),
        (paper | {"support": "moving"}, LEARNING_RATES),
        (random, LEARNING_RATES | longer),
        (anchored, LEARNING_RATES),
        (anchored | {"regrowth": EXCHANGED}, LEARNING_RATES),
    )
    return [at_budgets("CompressedELSA", (size,), grid, **given)[0] for given, grid in every]
