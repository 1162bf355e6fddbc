"""What parameters are where the caller leaves them out: the paper's procedure, or the recommended.

The recommended setting follows from the data alone: users, items, length of history, budget. Its
numbers were chosen on validation users (page "A recommended setting").
"""

import math
import warnings

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError
from celsa_lib.training.options import ALLOTTED_BY, NEIGHBOURS, SHRINK, STRENGTH

RECIPES = ("paper", "recommended")
PAPER_RECIPE = {
    "epochs": 10, "learning_rate": 0.1, "cosine_decay": False, "weight_averaging": 0.0,
    "dropout": 0.0, "length_exponent": 0.0, "scales": False, "non_negative": False,
    "support": "pruned",
}  # fmt: skip
REGULARISED = {"epochs": 10, "cosine_decay": True, "weight_averaging": 0.2}
SPARSE_ROWS = REGULARISED | {"scales": True, "support": "anchored"}
FEW_USERS = 10_000  # below, what is learned by chance is held back: see OF_FEW
OF_FEW = {"learning_rate": 0.04, "non_negative": True, "reg": 300.0}
OF_MANY = {"learning_rate": 0.06, "non_negative": False, "reg": 100.0}
SMALL_ROWS, SMALL_REG = 4, 1000.0  # nonzeros up to which λ is higher: few places, no chances
SHORT_HISTORIES = 50  # items on average, below which few of a user's likes are known
# With few users; with many of short histories, who stand for users with longer ones; with others.
LENGTH_EXPONENTS = 0.5, 1.0, 0.0
DENSE_ROWS = REGULARISED | {"learning_rate": 0.06}
LARGEST_BATCH, FEWEST_STEPS = 1024, 10  # the paper's batch; steps that an epoch should have
DROPOUT = (3.7, 4.5), (0.65, 0.35)  # by log10 of the users, between and beyond
FLOOR = 0.75  # of a row's nonzeros that every row has; the rest goes where it is strongest


def check_recipe(recipe: str) -> None:
    """Raise ConfigError for a recipe that is not there."""
    if recipe not in RECIPES:
        raise ConfigError(f'unknown recipe "{recipe}"; choose one of {", ".join(RECIPES)}')


def fill(given: dict, X: csr_matrix, width: int) -> dict:
    """`given` parameters with those that are None filled for the histories X (users × items).

    width: of the paper's procedure; the recommended one has as many latents as items.
    """
    learners = int(np.count_nonzero(np.diff(X.indptr)))
    batch_size = batch_that_fits(learners)
    if given["recipe"] == "paper":
        filled = PAPER_RECIPE | {"width": width, "batch_size": batch_size}
        if given.get("support") == "anchored":  # which the paper does not have
            anchored = of_data(X, learners, given["nnz"])
            filled |= {name: anchored[name] for name in ("width", "floor", "reg", "n_neighbours")}
    else:
        filled = of_data(X, learners, given.get("nnz")) | {"batch_size": batch_size}
    filled = {name: value for name, value in filled.items() if name in given}
    result = given | {name: v for name, v in filled.items() if given[name] is None}
    steps = math.ceil(learners / result["batch_size"])
    if given["recipe"] == "paper" and steps < FEWEST_STEPS:
        counted = "1 step" if steps == 1 else f"{steps} steps"
        smaller = result["batch_size"] > batch_size
        warnings.warn(
            f"an epoch has {counted}, too few to learn from: batch_size "
            f"{result['batch_size']}, {learners} users; "
            f"{f'take batch_size {batch_size}, or' if smaller else 'take'} "
            f'recipe="recommended"{"" if smaller else " or more epochs"}',
            stacklevel=2,
        )
    return result


def batch_that_fits(learners: int) -> int:
    """The largest power of two, at most the paper's 1,024, that gives an epoch ten steps."""
    return min(LARGEST_BATCH, 2 ** int(math.log2(max(1, learners // FEWEST_STEPS))))


def of_data(X: csr_matrix, learners: int, nnz: int | None) -> dict:
    """The recommended setting of sparse rows, or of dense ones (`nnz` None), for histories X.

    The fewer the users, the higher the dropout: with few, it is chance that is learned.
    """
    dropout = round(float(np.interp(math.log10(max(1, learners)), *DROPOUT)), 2)
    many = learners >= FEW_USERS
    short = X.nnz < SHORT_HISTORIES * learners
    by_users = {"dropout": dropout, "length_exponent": _exponent(many, short)}
    if nnz is None:
        return DENSE_ROWS | by_users
    by_data = {"width": X.shape[1], "floor": max(1, round(FLOOR * nnz))}
    by_data["n_neighbours"] = NEIGHBOURS
    if nnz <= SMALL_ROWS and not (many and short):
        by_data["reg"] = SMALL_REG
    return SPARSE_ROWS | by_users | (OF_MANY if many else OF_FEW) | by_data


def _exponent(many: bool, short: bool) -> float:
    """How much more than others users with long histories count: of `LENGTH_EXPONENTS`."""
    few, of_short, of_long = LENGTH_EXPONENTS
    return few if not many else of_short if short else of_long


def numbers_of(parameters: dict) -> list:
    """What `parameters` leave to the recommended recipe: a result made by it depends on these."""
    if parameters.get("recipe") != "recommended":
        return []
    shared = [FEW_USERS, SHORT_HISTORIES, LENGTH_EXPONENTS, DROPOUT, LARGEST_BATCH, FEWEST_STEPS]
    if "nnz" in parameters and "code_width" not in parameters:  # no codes of dense rows
        start = [NEIGHBOURS, SHRINK, STRENGTH, ALLOTTED_BY]
        small = [SMALL_ROWS, SMALL_REG] if parameters["nnz"] <= SMALL_ROWS else []
        return [SPARSE_ROWS, OF_FEW, OF_MANY, FLOOR, *start, *shared, *small]
    return [DENSE_ROWS, *shared]
