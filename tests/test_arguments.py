"""Wrong arguments: each is refused by a line that names it and shows its value plainly."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.data import make_synthetic
from celsa_lib.evaluation.compare import difference_by_user, paired_difference
from celsa_lib.experiments import user_data_config

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


def with_pointers(last: int) -> csr_matrix:
    """Of two rows, the first ends far beyond what is stored, whatever the last pointer says."""
    matrix = csr_matrix(np.ones((2, 60), np.float32))
    matrix.indptr[1:] = [10**6, last]
    return matrix


def compared(theirs=(3, 1, 2), **options):
    return difference_by_user([1, 2, 3], list(theirs), **options)


def named(embed):
    return cl.segment_items(EMBEDDINGS, DATA.items, embed=embed)


WRONG = {
    "score NaN": (lambda: EMBEDDINGS.score(with_value(np.nan)), "not finite"),
    "recommend inf": (lambda: EMBEDDINGS.recommend(with_value(np.inf)), "not finite"),
    "huge rows": (lambda: cl.ItemEmbeddings(csr_matrix(np.full((9, 4), 1e38))), "1e\\+15 and more"),
    "users with pointers": (lambda: EMBEDDINGS.score(with_pointers(0)), "do not ascend"),
    "columns with pointers": (lambda: cl.EASE().fit(with_pointers(0).T), "do not ascend"),
    "rows with pointers": (lambda: cl.ItemEmbeddings(with_pointers(60)), "do not ascend"),
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
    "text as histories": (lambda: cl.EASE().fit("x"), "got str \\(no matrix\\)"),
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
    "a large seed": (lambda: cl.CompressedELSA(nnz=4, seed=2**64), "at most 18,446.* got 18446"),
    "noise": (lambda: make_synthetic(noise="x"), "noise must be .* from 0 to 1, got 'x'"),
    "exponent": (lambda: make_synthetic(popularity_exponent=np.nan), "popularity_exponent .* nan"),
    "weights": (lambda: make_synthetic(segment_weights="a"), "segment_weights are numbers"),
    "resamples": (lambda: compared(n_resamples=0), "n_resamples .* at least 1, got 0"),
    "seed of an interval": (lambda: compared(seed=-1), "seed .* got -1"),
    "confidence": (lambda: compared(confidence="x"), "confidence .* got 'x'"),
    "text to compare": (lambda: compared(["a", "b", "c"]), "a number per user"),
    "NaN to compare": (lambda: compared([0, 1, np.nan]), "not finite"),
    "metric": (lambda: paired_difference(None, None, "ndcg@10"), "metric is one of .* 'ndcg@10'"),
    "no evaluation": (lambda: paired_difference(None, None), "a NoneType is no evaluation"),
    "NaN of embed": (lambda: named(lambda names: np.full((len(names), 2), np.nan)), "not finite"),
    "no rows of embed": (lambda: named(lambda names: "x"), "embed gave 'x'"),
    "no embed": (lambda: named(5), "embed is a function .* not 5"),
    "a long id": (
        lambda: cl.ItemEmbeddings(EMBEDDINGS.matrix[:2], ["a", "b" * 10**6]),
        "1,000,000 characters",
    ),
    "a long id in a table": (
        lambda: cl.load_interactions(TABLE.assign(user_id="a" * 1001)),
        "more than 1,000 characters",
    ),
    "callbacks": (lambda: cl.CompressedELSA(nnz=4, callbacks=[5]), "a Callback, got 5"),
    "about": (lambda: cl.ItemEmbeddings(ROWS, about={"a": object()}), "dictionary of plain"),
    "scales": (lambda: cl.ItemEmbeddings(ROWS, input_scales="a"), "input_scales .* 'a'"),
    "huge history": (lambda: EMBEDDINGS.score(with_value(1e38)), "1e\\+06 and more"),
    "complex rows": (lambda: cl.ItemEmbeddings(ROWS * 1j), "a matrix of numbers"),
    "no path": (lambda: EMBEDDINGS.save(5), "cannot write 5: it is no path"),
    "no positions": (lambda: EMBEDDINGS.similar(5), "a list of positions, got 5"),
    "segments of nothing": (lambda: cl.Segmentation.load("a.npz", None), "got a NoneType"),
    "folds of nothing": (lambda: cl.evaluate(EMBEDDINGS, 5), "a list of pairs"),
    "a fold of one": (lambda: cl.evaluate(EMBEDDINGS, [5]), "a list of pairs"),
    "narrow targets": (lambda: cl.evaluate(EMBEDDINGS, [(X[:3], X[:3, :50])]), "same users and"),
    "separator": (lambda: cl.load_interactions(TABLE, separator=5), "separator is 5"),
    "least rating": (
        lambda: cl.load_interactions(TABLE, value="user_id", min_rating="a"),
        "min_rating .* got 'a'",
    ),
    "one id": (lambda: cl.ItemEmbeddings(EMBEDDINGS.matrix, "abc"), "item ids are a list"),
    "width": (
        lambda: cl.CompressedELSA(10**10, 4), "width must be at most 2,147,483,647, got 10000000000"
    ),
    "width of these items": (
        lambda: cl.ELSA(2**31 - 1).fit(X), "width is 2147483647, and may be [0-9,]{9,10} at most:"
    ),
    "width of a code": (
        lambda: cl.SparseAutoencoderELSA(4, 2**30, 4).fit(X), "code_width is 1073741824, and may"
    ),
    "budget": (lambda: cl.PrunedEASE(nnz=2**31), "nnz must be at most 2,147,483,647, got"),
    "epochs": (lambda: cl.ELSA(epochs=10**9), "epochs must be at most 100,000, got 1000000000"),
    "epochs of a schedule": (
        lambda: cl.CompressedELSA(64, 4, epochs=10**9), "epochs must be at most 100,000"
    ),
    "epochs of a code": (
        lambda: cl.SparseAutoencoderELSA(sae_epochs=10**9), "sae_epochs must be at most 100,000"
    ),
    "seeds": (lambda: user_data_config(DATA, "smoke", 10**9), "seeds must be at most 1,000, got"),
    "users of a batch": (lambda: cl.ELSA(batch_size=2**31), "batch_size must be at most"),
    **{
        f"device {name}": (lambda name=name: cl.ELSA(device=name), """is .*; .* "auto", "cpu\"""")
        for name in ("tpu", "meta", "cuda:99", "", 5, None)
    },
    "checkpoint": (lambda: cl.training.Checkpoint(5), "pass its path, not 5"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_refused_in_a_line(case):
    call, said = WRONG[case]
    with pytest.raises(cl.CelsaError, match=said) as refused:
        call()
    assert "np." not in str(refused.value) and "\n" not in str(refused.value)
