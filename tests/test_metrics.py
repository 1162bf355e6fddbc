"""Metrics: by hand, and against ir-measures on random runs."""

import sys

import ir_measures
import numpy as np
import pytest
from ir_measures import nDCG
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.evaluation import difference_by_user
from celsa_lib.evaluation.metrics import hits, ndcg_at, recall_at


def test_by_hand():
    """Targets {1, 4, 9}; the list is 4, 7, 1, 0: hits at ranks 1 and 3."""
    target = csr_matrix(([1.0, 1, 1], [1, 4, 9], [0, 3]), shape=(1, 10))
    found = hits(np.array([[4, 7, 1, 0]]), target)
    assert found.tolist() == [[True, False, True, False]]
    dcg, ideal = 1 + 1 / 2, 1 + 1 / np.log2(3) + 1 / 2
    assert ndcg_at(found, np.array([3]), 100)[0] == pytest.approx(dcg / ideal)
    assert recall_at(found, np.array([3]), 2)[0] == pytest.approx(1 / 2)  # calibrated: min(2, 3)
    assert recall_at(found, np.array([3]), 20)[0] == pytest.approx(2 / 3)


def test_no_item_is_never_a_hit():
    target = csr_matrix(([1.0], [9], [0, 1]), shape=(1, 10))  # item 9 is what index −1 would hit
    assert not hits(np.array([[-1, -1]]), target).any()


class Scores:
    """A recommender that answers fixed scores for the rows it is given, in order."""

    def __init__(self, scores):
        self.scores = scores

    def recommend(self, X, n, exclude_seen):
        from celsa_lib import retrieval

        scores = retrieval.exclude_seen(self.scores.copy(), X) if exclude_seen else self.scores
        return retrieval.top_n(scores, n)


def test_against_ir_measures():
    rng = np.random.default_rng(11)
    X = csr_matrix((rng.random((60, 150)) < 0.2).astype(np.float32))
    folds = cl.holdout_folds(X, seed=1)[:1]
    scores = rng.random(X.shape).astype(np.float32)
    ours = cl.evaluate(Scores(scores), folds).per_user.set_index("row")["ndcg@100"]
    given, target = folds[0]
    qrels, run = {}, {}
    for user in range(60):
        qrels[str(user)] = {str(i): 1 for i in target[user].indices}
        unseen = np.setdiff1d(np.arange(150), given[user].indices)
        run[str(user)] = {str(i): float(scores[user, i]) for i in unseen}
    theirs = {m.query_id: m.value for m in ir_measures.iter_calc([nDCG @ 100], qrels, run)}
    assert len(theirs) == 60
    for user, value in ours.items():
        assert value == pytest.approx(theirs[str(user)], abs=1e-6)


def test_perfect_and_worst_model(histories):
    folds = cl.holdout_folds(histories)
    perfect = cl.evaluate(Scores(folds[0][1].toarray()), folds[:1])
    assert perfect.mean == pytest.approx({"ndcg@100": 1.0, "recall@20": 1.0, "recall@50": 1.0})
    worst = cl.evaluate(Scores(-folds[0][1].toarray()), folds[:1])
    assert worst.mean["recall@20"] == 0.0


def test_seen_items_never_count(histories):
    """A model that scores the input highest gains nothing by it."""
    folds = cl.holdout_folds(histories)[:1]
    given, target = folds[0]
    result = cl.evaluate(Scores(target.toarray() + 10 * given.toarray()), folds)
    assert result.mean["ndcg@100"] == pytest.approx(1.0)


def test_users_are_measured_a_part_at_a_time_with_the_same_outcome(histories, monkeypatch):
    model, folds = cl.EASE(reg=10.0).fit(histories), cl.holdout_folds(histories, n_folds=2)
    whole, asked = cl.evaluate(model, folds), []
    monkeypatch.setattr(sys.modules["celsa_lib.evaluation.evaluate"], "USERS_OF_PART", 64)
    recommend = model.recommend
    model.recommend = lambda X, **options: asked.append(X.shape[0]) or recommend(X, **options)
    parts = cl.evaluate(model, folds)
    assert max(asked) == 64 and sum(asked) == len(whole.per_user)
    assert parts.per_user.equals(whole.per_user) and parts.mean == whole.mean


def test_standard_error_is_over_users(histories):
    folds = cl.holdout_folds(histories)
    result = cl.evaluate(cl.Popularity().fit(histories), folds)
    users = result.per_user.groupby("row")["ndcg@100"].mean()
    assert result.stderr["ndcg@100"] == pytest.approx(users.std() / np.sqrt(len(users)))
    assert result.mean["ndcg@100"] == pytest.approx(users.mean())
    assert len(users) == 300


def test_users_without_targets_are_skipped():
    X = csr_matrix(([1.0] * 6, [0, 1, 2, 3, 4, 0], [0, 5, 6]), shape=(2, 8))
    folds = cl.holdout_folds(X)
    result = cl.evaluate(cl.Popularity().fit(X), folds)
    assert (result.per_user.groupby("row").size() == [5, 1]).all()
    with pytest.raises(cl.CelsaError, match="no user has a held-out item"):
        cl.evaluate(cl.Popularity().fit(X), [(X, csr_matrix((2, 8)))])
    with pytest.raises(cl.CelsaError, match="no folds"):
        cl.evaluate(cl.Popularity().fit(X), [])


def test_a_single_user_has_no_interval():
    one = difference_by_user([0.3], [0.1])
    assert one.mean == pytest.approx(0.2) and np.isnan([one.low, one.high]).all()
    assert not one.is_clear
    several = difference_by_user([0.5, 0.75], [0.25, 0.5])
    assert (several.mean, several.low, several.high) == (0.25, 0.25, 0.25) and several.is_clear


def test_paired_difference_sees_what_is_there(histories):
    folds = cl.holdout_folds(histories)
    popular = cl.evaluate(cl.Popularity().fit(histories), folds)
    ease = cl.evaluate(cl.EASE(reg=1.0).fit(histories), folds)
    same = cl.paired_difference(popular, popular)
    assert same.mean == 0 and not same.is_clear
    difference = cl.paired_difference(ease, popular)
    assert difference.low < difference.mean < difference.high
    assert difference.mean == pytest.approx(ease.mean["ndcg@100"] - popular.mean["ndcg@100"])
    with pytest.raises(cl.CelsaError, match="different users"):
        few = [(g[:10], t[:10]) for g, t in folds]
        cl.paired_difference(popular, cl.evaluate(cl.Popularity().fit(histories), few))
