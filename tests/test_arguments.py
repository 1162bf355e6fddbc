"""Wrong arguments: each is refused by a line that names it and shows its value plainly."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.data import make_synthetic

DATA = make_synthetic(n_users=300, n_items=60, n_segments=5)
X = DATA.X
ROWS = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
EMBEDDINGS = cl.ItemEmbeddings(csr_matrix(ROWS))
TABLE = DATA.items.assign(user_id=1, item_id=1)
FOLDS = cl.holdout_folds(X[:20])


def with_value(value: float) -> csr_matrix:
    history = X[:2].copy()
    history.data[0] = value
    return history


WRONG = {
    "score NaN": (lambda: EMBEDDINGS.score(with_value(np.nan)), "not finite"),
    "recommend inf": (lambda: EMBEDDINGS.recommend(with_value(np.inf)), "not finite"),
    "huge rows": (lambda: cl.ItemEmbeddings(csr_matrix(np.full((9, 4), 1e38))), "1e\\+15 and more"),
    "text rows": (lambda: cl.ItemEmbeddings("a"), "a matrix of numbers.* got a str"),
    "no rows": (lambda: cl.ItemEmbeddings(None), "got a NoneType"),
    "flat rows": (lambda: cl.ItemEmbeddings(np.ones(3)), "two dimensions"),
    "ids alike in a file": (
        lambda: cl.ItemEmbeddings(EMBEDDINGS.matrix[:2], np.array([1, "1"], dtype=object)),
        "the item id 1 stands more than once",
    ),
    "ids twice": (lambda: cl.EASE().fit(X, ["a"] * 60), "the item id a stands more than once"),
    "seed": (lambda: cl.CompressedELSA(nnz=4, seed=-1), "seed must be a whole number.* got -1"),
    "seed of a split": (lambda: cl.split_users(X, n_test=9, seed="a"), "seed .* got 'a'"),
    "users of a split": (lambda: cl.split_users(X, n_test=1.5), "n_test .* got 1.5"),
    "seed of folds": (lambda: cl.holdout_folds(X, seed=-3), "seed .* got -3"),
    "fraction": (lambda: cl.holdout_folds(X, fraction="x"), "fraction .* got 'x'"),
    "whole fraction": (lambda: cl.holdout_folds(X, fraction=1), "fraction is a share"),
    "users to make": (lambda: make_synthetic(n_users="a"), "n_users .* got 'a'"),
    "half a user": (lambda: make_synthetic(n_users=10.5), "n_users .* got 10.5"),
    "seed of data": (lambda: make_synthetic(seed=-1), "seed .* got -1"),
    "a number of NumPy": (lambda: cl.EASE(reg=np.float64("nan")), "reg .* got nan$"),
    "a long value": (lambda: cl.EASE(reg="9" * 10**6), "reg .* got '9{40,80}…$"),
    "length of a list": (lambda: EMBEDDINGS.recommend(X[:1], n="a"), "n must be .* got 'a'"),
    "text as histories": (lambda: cl.EASE().fit("x"), "got str \\(text\\)"),
    "no model": (lambda: cl.evaluate(None, FOLDS), "a NoneType recommends nothing"),
    "no folds": (lambda: cl.evaluate(EMBEDDINGS, []), "no folds"),
    "uneven folds": (
        lambda: cl.evaluate(EMBEDDINGS, [FOLDS[0], (X[:2, :50], X[:2, :50])]),
        "X has 50 items, the embeddings have 60",
    ),
    "no items": (lambda: cl.segment_items(EMBEDDINGS, None), "`items` is a NoneType"),
    "least interactions": (
        lambda: cl.load_interactions(TABLE, min_user_interactions="a"),
        "min_user_interactions .* got 'a'",
    ),
    "checkpoint": (lambda: cl.training.Checkpoint(5), "pass its path, not 5"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_refused_in_a_line(case):
    call, said = WRONG[case]
    with pytest.raises(cl.CelsaError, match=said) as refused:
        call()
    assert "np." not in str(refused.value) and "\n" not in str(refused.value)
