"""EDLAE, what is kept of a matrix of item weights, and what is refitted, against plain algebra."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.models import EDLAE, PrunedEDLAE, SparseMRF
from celsa_lib.models.ease import gram_matrix
from celsa_lib.models.pruned import prune_matrix, regressed


def one_by_one(X, ridge, columns):
    """Weights of each item j from the items columns[j], by the normal equations of a ridge."""
    G = (X.T @ X).toarray().astype(np.float64)
    B = np.zeros_like(G)
    for j, kept in enumerate(columns):
        A = G[np.ix_(kept, kept)] + np.diag(ridge[kept])
        B[kept, j] = np.linalg.solve(A, G[kept, j])
    return B


def test_edlae_is_the_expected_loss_under_input_dropout(histories):
    """E‖x_j − Σ m_i·x_i·b_i‖² over masks m of mean q = 1 − p has G_ij·q² off the diagonal, G_ii·q
    on it; predictions are made from whole inputs with q·b.
    """
    p, q, reg = 0.4, 0.6, 5.0
    G = (histories.T @ histories).toarray().astype(np.float64)
    n = len(G)
    expected = np.zeros_like(G)
    for j in range(n):
        others = np.delete(np.arange(n), j)
        A = q * q * G[np.ix_(others, others)]
        A[np.diag_indices(n - 1)] = q * G[others, others] + q * q * reg
        expected[others, j] = q * np.linalg.solve(A, q * G[others, j])
    found = EDLAE(reg, p).fit(histories)
    assert np.allclose(found.weights_, expected, atol=1e-5)
    assert np.allclose(
        EDLAE(reg, 0.0).fit(histories).weights_, cl.EASE(reg).fit(histories).weights_
    )


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
           elements=st.integers(-4, 4)),
    st.integers(1, 12),
)  # fmt: skip
def test_one_threshold_keeps_the_largest_of_the_whole_matrix(weights, nnz):
    found = prune_matrix(weights, nnz).toarray()
    kept = found != 0
    assert np.array_equal(found[kept], weights[kept])
    left = np.abs(weights[~kept])
    assert not kept.any() or not left.size or np.abs(weights[kept]).min() >= left.max()
    assert kept.sum() == min(nnz * len(weights), np.count_nonzero(weights))


def test_refitted_weights_are_ridge_regressions_on_what_is_kept(histories):
    for whole in (cl.EASE(3.0), EDLAE(3.0, 0.3)):
        whole.fit(histories)
        kind = cl.PrunedEASE if type(whole) is cl.EASE else PrunedEDLAE
        pruned = kind.from_ease(whole, 4, "matrix")
        refitted = kind.from_ease(whole, 4, "matrix", True, X=histories)
        support = pruned.weights_.toarray() != 0
        assert np.array_equal(refitted.weights_.toarray() != 0, support)
        popularity = np.asarray(histories.sum(axis=0), np.float64).ravel()
        columns = [np.flatnonzero(column) for column in support.T]
        expected = one_by_one(histories, whole.ridge(popularity), columns)
        assert np.allclose(refitted.weights_.toarray(), expected, atol=1e-5)
        alone = kind(**whole.get_params(), nnz=4, support="matrix", refit=True).fit(histories)
        assert np.array_equal(alone.weights_.toarray(), refitted.weights_.toarray())
        assert refitted.bytes_per_item == 32


def test_refitted_on_everything_is_ease(histories):
    """EASE is n regressions of an item on all others (Steck 2019)."""
    whole = cl.EASE(3.0).fit(histories)
    refitted = cl.PrunedEASE(3.0, 60, refit=True).fit(histories)
    assert np.allclose(refitted.weights_.toarray(), whole.weights_, atol=1e-5)


def test_a_sparse_field_is_regressed_on_the_strongest_correlations(histories):
    reg, nnz, alpha = 2.0, 3, 0.75
    X = histories.toarray().astype(np.float64)
    scale = (X.var(axis=0) * len(X)) ** (alpha / 2)
    Z = (X - X.mean(axis=0)) / scale
    S = Z.T @ Z
    strength = np.abs(S)
    np.fill_diagonal(strength, 0)
    found = SparseMRF(reg, nnz).fit(histories).weights_.toarray()
    support = found != 0
    assert support.sum() == nnz * len(S) and not support.diagonal().any()
    assert strength[support].min() > strength[~support].max() - 1e-9
    for j, column in enumerate(support.T):
        kept = np.flatnonzero(column)
        b = np.linalg.solve(S[np.ix_(kept, kept)] + reg * np.eye(len(kept)), S[kept, j])
        assert np.allclose(found[kept, j], b * scale[j] / scale[kept], atol=1e-4)


def test_a_column_without_support_stays_empty():
    gram = gram_matrix(csr_matrix(np.eye(3, dtype=np.float32))) + np.eye(3)
    support = csr_matrix(([1.0], ([0], [1])), shape=(3, 3))
    assert regressed(gram, support).toarray().tolist() == np.zeros((3, 3)).tolist()


def test_rows_pruned_one_by_one_take_as_much_as_the_longest(histories):
    """An item that nobody has seen has no weights, and its row the room for them all the same."""
    unseen = histories.tolil()
    unseen[:, :20] = 0
    unseen = csr_matrix(unseen)
    unseen.eliminate_zeros()
    assert PrunedEDLAE(2.0, 4).fit(unseen).bytes_per_item == 32
    assert PrunedEDLAE(2.0, 4, support="matrix").fit(unseen).bytes_per_item == 32


def test_what_cannot_be_pruned_is_said(histories):
    with pytest.raises(cl.CelsaError, match='unknown support "column"; choose one of row, matrix'):
        cl.PrunedEASE(support="column")
    with pytest.raises(cl.CelsaError, match="pass X"):
        cl.PrunedEASE.from_ease(cl.EASE().fit(histories), refit=True)
    with pytest.raises(DataError, match="X has 59 items, EASE was fitted on 60"):
        cl.PrunedEASE.from_ease(cl.EASE().fit(histories), refit=True, X=histories[:, :59])
    for model in (EDLAE, PrunedEDLAE):
        with pytest.raises(cl.CelsaError, match="dropout is a share from 0 up to 1, not 1"):
            model(dropout=1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda X: cl.PrunedEASE.from_ease(EDLAE().fit(X)), "PrunedEASE prunes a fitted EASE, got"),
        (lambda X: PrunedEDLAE.from_ease(cl.EASE().fit(X)), "prunes a fitted EDLAE, got EASE"),
        (
            lambda X: cl.SparseAutoencoderELSA.from_elsa(cl.EASE().fit(X)),
            "a fitted ELSA is compressed",
        ),
    ],
)
def test_a_base_of_another_kind_is_refused(make, said, histories):
    with pytest.raises(ConfigError, match=said):
        make(histories)
