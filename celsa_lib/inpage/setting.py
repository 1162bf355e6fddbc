"""What the page trains, and the numbers of both ways to train, as the library has them."""

from celsa_lib.experiments import ExperimentConfig, MethodConfig
from celsa_lib.models.recipes import (
    DROPOUT,
    FEW_USERS,
    FEWEST_STEPS,
    FLOOR,
    LARGEST_BATCH,
    LENGTH_EXPONENTS,
    OF_FEW,
    OF_MANY,
    PAPER_RECIPE,
    SHORT_HISTORIES,
    SMALL_REG,
    SMALL_ROWS,
    SPARSE_ROWS,
)
from celsa_lib.models.schedules import make_schedule
from celsa_lib.training import TrainingOptions
from celsa_lib.training.options import NEIGHBOURS, SHRINK, STRENGTH

# So noisy that training has something to add to the start.
SMALL_SET = {
    "n_users": 800, "n_items": 1400, "n_segments": 35, "mean_interactions": 24.0, "noise": 0.2,
}  # fmt: skip
SLIDER_FROM, SLIDER_TO, NONZEROS = 2, 32, 8  # of the slider, and where it begins
PRUNED_WIDTH, PRUNED_EPOCHS = 256, 5  # seconds of plain JavaScript
HELD_OUT = {"n_test": 100, "n_folds": 1}
# Of a reader's file: what a page trains within a minute or so, and what there is to learn from.
FILE_LIMITS = {
    "bytes": 30_000_000, "users": 20_000, "items": 4_000, "cells": 25_000_000,
    "items_each": 5, "least_users": 60, "least_items": 60, "beside": 4_000_000,
}  # fmt: skip


def small_training(profile: str = "laptop", seed: int = 0) -> ExperimentConfig:
    """The page's training as an experiment: both ways at NONZEROS on the synthetic set, one fold.

    The set has the same size in every profile.
    """
    pruned = {"width": PRUNED_WIDTH, "epochs": PRUNED_EPOCHS, "batch_size": 64}
    methods = (
        MethodConfig("CompressedELSA", {"nnz": NONZEROS, "recipe": "recommended"}),
        MethodConfig("CompressedELSA", {"nnz": NONZEROS, **pruned}),
    )
    data_params = SMALL_SET | {"seed": seed}
    return ExperimentConfig(
        "synthetic", methods, data_params=data_params, seeds=(seed,), profile=profile, **HELD_OUT
    )


def page_numbers() -> dict:
    """Both recipes and the limits of a reader's file, as plain JSON for the page's script."""
    nonzeros = range(SLIDER_FROM, SLIDER_TO + 1)
    return {
        "nonzeros": [SLIDER_FROM, SLIDER_TO, NONZEROS],
        "floors": {nnz: max(1, round(FLOOR * nnz)) for nnz in nonzeros},
        "recommended": _recommended(),
        "paper": {
            "width": PRUNED_WIDTH,
            "rate": PAPER_RECIPE["learning_rate"],
            "epsilon": TrainingOptions.epsilon,
            "stages": {
                nnz: [(s.nnz, s.epochs) for s in _pruning(nnz)] for nnz in nonzeros
            },
        },
        "limits": FILE_LIMITS,
    }  # fmt: skip


def _pruning(nnz: int) -> list:
    return make_schedule("exponential", PRUNED_WIDTH, nnz, PRUNED_EPOCHS)


def _recommended() -> dict:
    return {
        "epochs": SPARSE_ROWS["epochs"],
        "averaging": SPARSE_ROWS["weight_averaging"],
        "epsilon": TrainingOptions.epsilon,
        "neighbours": NEIGHBOURS,
        "shrink": SHRINK,
        "strength": STRENGTH,
        "hiding": DROPOUT,
        "fewUsers": FEW_USERS,
        "ofFew": _of_users(OF_FEW),
        "ofMany": _of_users(OF_MANY),
        "smallRows": SMALL_ROWS,
        "smallReg": SMALL_REG,
        "shortHistories": SHORT_HISTORIES,
        "exponents": LENGTH_EXPONENTS,
        "largestBatch": LARGEST_BATCH,
        "fewestSteps": FEWEST_STEPS,
    }


def _of_users(numbers: dict) -> dict:
    return {
        "rate": numbers["learning_rate"],
        "nonNegative": numbers["non_negative"],
        "reg": numbers["reg"],
    }
