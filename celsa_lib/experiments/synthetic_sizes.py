"""Synthetic sets of three sizes: rank and length of history grow with the number of items."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.experiments.profiles import (
    Settings,
    configuration,
    every_method,
    settings_for,
)
from celsa_lib.models.registry import by_name

# By number of items. data_params are those of make_synthetic: the rank of the interactions is the
# number of segments, and histories are long-tailed, as in the sets of real interactions. On 10,000
# items there are few epochs and few values to choose from: an inversion takes half a minute, and
# each value of EASE's regularisation is one, again with each of EDLAE's dropouts.
SIZES = {
    800: Settings(
        200, 150, width=256, dense_width=512, epochs=10, pruning_epochs=2, batch_size=64,
        code_width=1024,
        data_params={
            "n_users": 1_200, "n_items": 800, "n_segments": 20, "segments_per_user": 3,
            "mean_interactions": 30.0, "length_spread": 0.8,
        },
    ),
    3_500: Settings(
        500, 250, width=1024, dense_width=512, epochs=5, pruning_epochs=2, batch_size=256,
        sae_epochs=30, code_width=1024,
        data_params={
            "n_users": 5_000, "n_items": 3_500, "n_segments": 175, "segments_per_user": 5,
            "mean_interactions": 60.0, "length_spread": 0.9,
        },
    ),
    10_000: Settings(
        1_000, 500, width=1024, dense_width=512, epochs=3, pruning_epochs=1, batch_size=512,
        regs=(50.0, 200.0), sae_epochs=10, code_width=1024,
        data_params={
            "n_users": 12_000, "n_items": 10_000, "n_segments": 500, "segments_per_user": 10,
            "mean_interactions": 120.0, "length_spread": 1.0,
        },
    ),
}  # fmt: skip
FEWER_VALUES = {10_000: {"learning_rate": (0.03, 0.1, 0.3), "dropout": (0.35,)}}
MRF_REGS_BY_SIZE = {  # up to ten times as much as on other sets, where the most was not chosen
    800: (3.0, 10.0, 30.0, 100.0, 300.0),
    3_500: (3.0, 10.0, 30.0, 100.0, 300.0),
    10_000: (10.0, 30.0),
}
SAE_VALUES = {  # of the autoencoder, which takes longest to choose for
    3_500: {"learning_rate": (0.1, 0.3), "sae_learning_rate": (0.03, 0.1)},
    10_000: {"learning_rate": (0.1,), "sae_learning_rate": (0.03, 0.1)},
}
# Of the recommended setting; of others that are trained.
SEEDS_BY_SIZE = {800: (5, 5), 3_500: (5, 3), 10_000: (5, 3)}


def planted_sizes() -> pd.DataFrame:
    """What each of SIZES was planted with, a line per set, in words."""
    words = {"n_items": "items", "n_users": "users", "n_segments": "segments",
             "segments_per_user": "segments of a user", "mean_interactions": "mean draws of a user",
             "length_spread": "spread of their logarithm"}  # fmt: skip
    table = pd.DataFrame([settings.data_params for settings in SIZES.values()])
    return table[list(words)].rename(columns=words)


def beside_baselines(
    dataset: str, profile: str, seeds: Sequence[int], n_items: int
) -> ExperimentConfig:
    """The recommended setting beside the paper's procedure and its baselines on `n_items` items.

    Raises ConfigError.
    """
    settings = settings_of_size(dataset, profile, n_items)
    methods = [_afforded(m, n_items) for m in every_method(settings)]
    return with_users_of(settings, configuration(dataset, profile, methods, seeds))


def settings_of_size(dataset: str, profile: str, n_items: int | None) -> Settings:
    """The settings of a dataset in a profile; of a synthetic one of SIZES, but in a smoke test.

    Raises ConfigError.
    """
    usual = settings_for(profile, dataset)
    return usual if profile == "smoke" else SIZES.get(n_items, usual)


def with_users_of(settings: Settings, config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with the data and as many users to test and to choose by as `settings`."""
    return replace(
        config,
        n_test=settings.n_test,
        n_val=settings.n_val,
        data_params=settings.data_params,
    )


def _afforded(method: MethodConfig, n_items: int) -> MethodConfig:
    """With as many seeds and values to choose from as `n_items` items leave time for."""
    fewer = FEWER_VALUES.get(n_items, {})
    if method.name == "SparseMRF":
        fewer = {"reg": MRF_REGS_BY_SIZE[n_items]}
    if method.name == "SparseAutoencoderELSA":
        fewer = SAE_VALUES.get(n_items, {})
    method = replace(method, grid={n: fewer.get(n, values) for n, values in method.grid.items()})
    ours = method.name == "CompressedELSA" and method.params.get("recipe") == "recommended"
    seeds, of_others = SEEDS_BY_SIZE[n_items]
    if not by_name(method.name).trained:
        return method
    return replace(method, n_seeds=method.n_seeds or (seeds if ours else of_others))
