"""Models of one size taken apart, against small cases by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError
from celsa_lib.evaluation.exposure import popularity_parts, recall_by_popularity
from celsa_lib.experiments import (
    by_history,
    by_popularity,
    latents_used,
    models_of_size,
    weights_found,
)
from celsa_lib.report import served_figure
from celsa_lib.results import Result


class Fixed:
    """Item rows of 1 to 5 nonzeros, and the same list for everybody."""

    def __init__(self, ranking, weights=None):
        self.ranking, self.weights = np.array(ranking), weights
        self.item_embeddings = cl.ItemEmbeddings(csr_matrix(np.triu(np.ones((5, 5), np.float32))))

    def recommend(self, X, n, exclude_seen):
        return np.tile(self.ranking, (X.shape[0], 1)), None

    def score(self, X):
        return (X @ self.weights).astype(np.float32)


@pytest.fixture
def folds():
    """Two users: the first is given item 0 and misses 4, the second 1 and misses 0, 3 and 4."""
    given = csr_matrix(np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=np.float32))
    target = csr_matrix(np.array([[0, 0, 0, 0, 1], [1, 0, 0, 1, 1]], dtype=np.float32))
    return [(given, target)]


def test_parts_have_as_many_items_and_the_most_popular_come_first():
    assert popularity_parts(np.array([1, 9, 5, 5]), 2).tolist() == [1, 0, 0, 1]


def test_recall_by_popularity_by_hand(folds):
    """Both miss item 4 and are shown it; one misses 0, shown, and 3, not; nobody misses 1 and 2."""
    found = recall_by_popularity(Fixed([4, 0]), folds, np.array([9, 8, 7, 2, 1]), 5)
    assert found[0] == 1.0 and found[3] == 0.0 and found[4] == 1.0
    assert np.isnan(found[1]) and np.isnan(found[2])


def test_nonzeros_by_popularity_are_those_of_the_rows(folds):
    lines = by_popularity({"a": Fixed([4, 0])}, folds, np.array([1, 2, 3, 4, 5]))
    assert lines["nonzeros"].tolist() == [1, 2, 3, 4, 5]
    assert lines["part"].tolist() == [1, 2, 3, 4, 5]


def test_users_by_length_of_history(folds):
    """The users have 2 and 4 items, so they are the first and the third quarter of two."""
    lines = by_history({"a": Fixed([4, 0])}, folds)
    assert lines["part"].tolist() == [1, 3] and lines["length"].tolist() == [2, 4]
    of_two = 1 + 1 / np.log2(3)
    assert lines["ndcg@100"].to_numpy() == pytest.approx([1.0, of_two / (of_two + 0.5)])


def test_weights_found_by_hand():
    """Of the five largest weights of the whole matrix the other has three."""
    whole, other = np.zeros((5, 5)), np.zeros((5, 5))
    whole[0, 1:], whole[1, 0] = [1, 2, 3, 4], 5
    np.fill_diagonal(whole, 9)  # of no account
    other[0, 2:] = other[3, 4] = other[4, 3] = 7
    found = weights_found({"a": Fixed([0], other)}, Fixed([0], whole), 5, (1,))
    assert found.loc["a", 1] == 3 / 5


def test_latents_by_hand():
    """Latent 0 is dead, 1 has one item, 2 and 3 say the same, 4 something else."""
    A = np.array([[0, 0, 3, -3, 1], [0, 0, 4, -4, -1], [0, 1, 0, 0, 1]], dtype=np.float32)
    line = latents_used({"a": cl.ItemEmbeddings(csr_matrix(A))}).iloc[0].to_dict()
    assert line == {
        "method": "a", "of no item": 1, "of one item": 1, "of several": 3, "duplicates": 2
    }  # fmt: skip


def test_models_of_a_size_are_those_of_the_first_seed():
    rows = [{"label": label, "budget_bytes": size} for label, size in
            (("a", 64), ("b", 64), ("a", 128), ("a", 64))]  # fmt: skip
    assert models_of_size(Result({}, rows), [1, 2, 3, 4], 64) == {"a": 1, "b": 2}
    with pytest.raises(ConfigError, match=r"no model has 32 bytes per item; there are \[64, 128\]"):
        models_of_size(Result({}, rows), [1, 2, 3, 4], 32)


def test_the_figure_has_a_line_per_model_and_panel(folds):
    models = {"Recommended setting": Fixed([4, 0]), "Compressed ELSA": Fixed([0, 4])}
    lines = by_popularity(models, folds, np.arange(5))
    figure = served_figure(lines, by_history(models, folds))
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2]
