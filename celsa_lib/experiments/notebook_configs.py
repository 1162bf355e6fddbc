"""What notebooks train live: small comparisons of their own, not studies."""

from dataclasses import replace

from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.experiments.profiles import (
    LEARNING_RATES,
    PRECISION,
    configuration,
    experiment,
    settings_for,
    without,
)
from celsa_lib.models.registry import RECOMMENDED_RECIPE
from celsa_lib.results import BUDGETS

MOST_DENSE = 256  # numbers of a dense row that a page may carry
MOST_RECOMMENDED = 256  # bytes per item, in the demo


def quickstart(dataset: str, profile: str = "laptop", seed: int = 0) -> ExperimentConfig:
    """The quickstart's comparison at the smaller sizes: every family but the autoencoder, and the
    recommended setting.
    """
    budgets = [b for b in settings_for(profile, dataset).budgets if b <= 512]
    config = experiment(dataset, profile, with_sae=False, seeds=(seed,), budgets=budgets)
    given = RECOMMENDED_RECIPE | {"precision": PRECISION}
    return replace(
        config, methods=(*config.methods, *at_budgets("CompressedELSA", budgets, **given))
    )


def first_look(dataset: str, profile: str = "laptop", seed: int = 0) -> ExperimentConfig:
    """Two models of 128 bytes per item that train in seconds: what a page shows live."""
    settings = settings_for(profile, dataset)
    methods = (
        *at_budgets("ELSA", (128,), **settings.training() | {"epochs": 3}),
        *at_budgets("CompressedELSA", (128,), **settings.ablation() | {"epochs": 1}),
    )
    return configuration(dataset, profile, methods, (seed,))


def demo_models(dataset: str, profile: str = "laptop", seed: int = 0) -> ExperimentConfig:
    """The models of the demo page: ELSA, and Compressed ELSA by both recipes.

    The page holds every number, so ELSA is as wide as the path of the paper's procedure begins,
    MOST_DENSE at most, and the recommended recipe has up to MOST_RECOMMENDED bytes per item.
    """
    settings = settings_for(profile, dataset)
    params = settings.ablation()
    width = min(params["width"], MOST_DENSE)
    dense = MethodConfig(
        "ELSA",
        without(settings.training(), LEARNING_RATES) | {"width": width},
        LEARNING_RATES,  # at the usual rate a wide ELSA falls behind on few users
    )
    budgets = tuple(budget for budget in BUDGETS if budget // 8 < params["width"])
    ours = {"recipe": "recommended", "precision": PRECISION}
    methods = (
        dense,
        *at_budgets("CompressedELSA", [b for b in budgets if b <= MOST_RECOMMENDED], **ours),
        *at_budgets("CompressedELSA", budgets, **params),
    )
    return replace(configuration(dataset, profile, methods, (seed,)), test_users="split")


def many_tastes(profile: str = "laptop", seed: int = 0) -> ExperimentConfig:
    """The synthetic set in the paper's regime, every compressed method at its smallest budget."""
    return experiment("synthetic", profile, with_sae=False, seeds=(seed,))
