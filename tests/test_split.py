"""Users are disjoint, folds are disjoint and complete, and a seed is a seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix

import celsa_lib as cl
from celsa_lib.split import canonical


@st.composite
def matrices(draw):
    """Random 0/1 CSR matrices, some users empty."""
    seed = draw(st.integers(0, 10_000))
    shape = draw(st.integers(4, 30)), draw(st.integers(3, 40))
    rng = np.random.default_rng(seed)
    return csr_matrix((rng.random(shape) < rng.random()).astype(np.float32))


@given(matrices(), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_users_go_to_exactly_one_part(X, seed):
    split = cl.split_users(X, n_test=2, n_val=1, seed=seed)
    rows = np.concatenate([split.train_rows, split.val_rows, split.test_rows])
    assert sorted(rows) == list(range(X.shape[0]))
    assert len(split.test_rows) == 2 and len(split.val_rows) == 1
    assert (split.test != X[split.test_rows]).nnz == 0
    assert (split.train != X[split.train_rows]).nnz == 0


def test_same_seed_same_split(histories):
    one, same, other = (cl.split_users(histories, 50, 20, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.test_rows, same.test_rows)
    assert not np.array_equal(one.test_rows, other.test_rows)


def test_more_test_users_than_users_is_an_error(histories):
    with pytest.raises(cl.CelsaError, match="only 300 users"):
        cl.split_users(histories, n_test=250, n_val=50)
    with pytest.raises(cl.CelsaError, match="n_test must be a whole number, at least 0"):
        cl.split_users(histories, n_test=-1)


@given(matrices(), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_disjoint_folds_cover_each_history_once(X, seed):
    folds = cl.holdout_folds(X, seed=seed)
    assert len(folds) == 5
    for given_part, target in folds:
        assert (given_part + target != X).nnz == 0
        assert given_part.multiply(target).nnz == 0
    assert (sum(target for _, target in folds) != X).nnz == 0


def test_an_item_that_is_stored_twice_is_held_out_once():
    """A stored zero is nothing that could be held out."""
    X = csr_matrix(([0.5, 0.5, 1, 1, 1, 1, 0], [3, 3, 0, 1, 2, 4, 5], [0, 7]), shape=(1, 6))
    for folds in (cl.holdout_folds(X), cl.holdout_folds(X.toarray())):
        assert [target.nnz for _, target in folds] == [1] * 5
        assert (sum(target for _, target in folds).toarray() == [[1, 1, 1, 1, 1, 0]]).all()
        for given_part, target in folds:
            assert given_part.multiply(target).nnz == 0
    assert X.nnz == 7


def test_what_is_canonical_is_not_copied(histories):
    assert canonical(histories) is histories
    one, same = (cl.split_users(X, 50).test for X in (histories, histories.toarray()))
    assert (one != same).nnz == 0


def test_fold_sizes_differ_by_at_most_one(histories):
    sizes = np.stack([np.diff(target.indptr) for _, target in cl.holdout_folds(histories)])
    assert np.ptp(sizes, axis=0).max() <= 1


def test_as_released_draws_with_replacement(histories):
    folds = cl.holdout_folds(histories, method="as_released", seed=3)
    lengths = np.diff(histories.indptr)
    sizes = np.stack([np.diff(target.indptr) for _, target in folds])
    assert (sizes <= np.ceil(0.2 * lengths)).all() and (sizes >= 1).all()
    assert (sizes < np.ceil(0.2 * lengths)).any()  # some item was drawn twice
    covered = (sum(target for _, target in folds) > 0).sum() / histories.nnz
    assert 0.55 < covered < 0.80
    for given_part, target in folds:
        assert (given_part + target != histories).nnz == 0


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"n_folds": 6}, "do not fit"),
        ({"n_folds": 2.5}, "n_folds must be a whole number"),
        ({"n_folds": 0}, "n_folds must be a whole number"),
        ({"fraction": 0.0}, "fraction must be a finite number above 0"),
        ({"method": "random"}, 'choose "disjoint" or "as_released"'),
    ],
)
def test_impossible_folds_are_errors(histories, bad, message):
    with pytest.raises(cl.CelsaError, match=message):
        cl.holdout_folds(histories, **bad)


@pytest.mark.parametrize("vector", [csr_array(np.eye(4))[1], np.eye(4)[1], [0, 1, 0, 0]])
def test_one_user_may_be_a_vector(vector):
    assert canonical(vector).shape == (1, 4) and canonical(vector).indices.tolist() == [1]


@pytest.mark.parametrize("column", [4, 77, -1])
def test_columns_that_a_matrix_has_not_are_refused(column):
    X = csr_matrix(np.eye(4, dtype=np.float32))
    X.indices[2] = column
    with pytest.raises(cl.CelsaError, match="indices must be"):
        cl.ItemEmbeddings(np.eye(4, dtype=np.float32)).recommend(X, 2)
