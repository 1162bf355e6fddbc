"""One conformance suite for every recommender, and each baseline against an independent form."""

import inspect
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from conformance import methods_here, parameters_of
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.models.ease import gram_matrix
from celsa_lib.models.pruned import SparseMRF, prune_rows
from celsa_lib.models.registry import BY_LABEL, METHODS

FAST = {"epochs": 3, "batch_size": 16, "progress": False}
SAE = {"sae_epochs": 150, "sae_learning_rate": 1e-2}
SMALL = {"width": 16, "code_width": 32, "reg": 1.0, **FAST, **SAE}
ROW_BYTES = 24  # of every family
# Every method of the registry; Compressed ELSA with every schedule, with and without restarts.
MODELS = {
    method.label: lambda m=method: m.make(
        **parameters_of(m, **SMALL) | (m.at(ROW_BYTES) if m.size else {})
    )
    for method in methods_here()
} | {
    f"{schedule}, restart={restart}": lambda s=schedule, r=restart: cl.CompressedELSA(
        16, 3, s, r, **FAST
    )
    for schedule in ("constant", "linear", "exponential", "step-wise")
    for restart in (True, False)
}
MODELS |= {
    "constant, regrown": lambda: cl.CompressedELSA(
        16, 3, "constant", regrowth=0.5, **FAST | {"epochs": 6}
    ),
    "anchored, regrown": lambda: cl.CompressedELSA(
        nnz=3, recipe="recommended", regrowth=0.5, progress=False
    ),
}
SIZES = {"ELSA": 64, "EASE": 80, "EDLAE": 80, "Popularity": 4}  # single models, by hand


def parts(X):
    """Indices and indptr of X with every entry twice."""
    return np.repeat(X.indices, 2), 2 * X.indptr


def halves(X):
    """X with every entry stored as two halves."""
    return csr_matrix((np.repeat(X.data / 2, 2), *parts(X)), shape=X.shape)


@pytest.fixture(params=MODELS)
def key(request):
    return request.param


@pytest.fixture
def fitted(key, checkerboard):
    return MODELS[key]().fit(checkerboard)


class TestEveryRecommender:
    def test_scores(self, fitted, checkerboard):
        scores = fitted.score(checkerboard)
        assert scores.shape == checkerboard.shape and scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_finds_the_checkerboard(self, key, fitted, checkerboard):
        """Even users should get even items; popularity alone cannot know."""
        best, _ = fitted.recommend(checkerboard, n=2)
        right = (best % 2 == np.arange(40)[:, None] % 2).mean()
        assert right > 0.9 if key != "Popularity" else right < 0.9

    def test_recommend_agrees_with_score(self, fitted, checkerboard):
        best, values = fitted.recommend(checkerboard, n=5)
        scores = fitted.score(checkerboard)
        scores[checkerboard.toarray() > 0] = -np.inf
        expected = -np.sort(-scores, axis=1)[:, :5]
        assert np.allclose(values, expected, atol=1e-5)
        assert np.allclose(np.take_along_axis(scores, best, axis=1), values, atol=1e-5)

    def test_seen_items_only_on_request(self, fitted, checkerboard):
        best, _ = fitted.recommend(checkerboard, n=8)
        seen = checkerboard.toarray() > 0
        assert not np.take_along_axis(seen, best, axis=1).any()
        everything, _ = fitted.recommend(checkerboard, n=20, exclude_seen=False)
        assert (np.sort(everything, axis=1) == np.arange(20)).all()

    def test_only_what_may_be_recommended(self, fitted, checkerboard):
        scores, may = fitted.score(checkerboard), [1, 7, 8]
        best, values = fitted.recommend(
            checkerboard, n=4, exclude_seen=False, among=[8, 1, 4, 7], without=[4, 0]
        )
        assert (np.sort(best, axis=1) == [-1, *may]).all()
        assert np.allclose(values[:, :3], -np.sort(-scores[:, may], axis=1), atol=1e-5)
        unseen, _ = fitted.recommend(checkerboard, n=20, without=[0])
        for row, seen in zip(unseen, checkerboard.toarray() > 0, strict=True):
            assert set(row) == {-1, *np.flatnonzero(~seen[1:]) + 1}
        for given in ({"among": [20]}, {"without": [-1]}, {"among": "a"}):
            with pytest.raises(ConfigError, match="is a list of positions"):
                fitted.recommend(checkerboard, **given)

    def test_one_user_as_in_a_batch(self, fitted, checkerboard):
        whole, alone = fitted.score(checkerboard)[3], fitted.score(checkerboard[3])[0]
        assert np.allclose(whole, alone, atol=1e-5)

    def test_a_user_with_everything_gets_nothing(self, fitted):
        best, values = fitted.recommend(csr_matrix(np.ones((1, 20), np.float32)), n=3)
        assert (best == -1).all() and np.isneginf(values).all()

    def test_an_empty_history_is_no_error(self, fitted):
        assert np.isfinite(fitted.score(csr_matrix((1, 20), dtype=np.float32))).all()
        best, values = fitted.recommend(csr_matrix((0, 20), dtype=np.float32), n=3)
        assert best.shape == values.shape == (0, 3)

    def test_same_seed_same_scores(self, key, fitted, checkerboard):
        again = MODELS[key]().fit(checkerboard)
        assert np.array_equal(fitted.score(checkerboard), again.score(checkerboard))

    def test_size(self, key, fitted):
        single = key in BY_LABEL and not BY_LABEL[key].compressed
        anything = fitted.bytes_per_item  # of a single model that nobody has worked out
        assert anything == (SIZES.get(key, anything) if single else ROW_BYTES) > 0

    def test_fit_leaves_the_input_alone(self, key, checkerboard):
        before = checkerboard.copy()
        MODELS[key]().fit(checkerboard)
        assert (before != checkerboard).nnz == 0

    def test_any_form_of_the_same_histories(self, key, fitted, checkerboard):
        """Arrays, other formats, stored zeros, columns out of order and parts that add up."""
        zeros = checkerboard + csr_matrix(([0.0], ([0], [1])), shape=(40, 20))
        zeros.data[zeros.data == 0] = 0  # kept as a stored entry
        backwards = checkerboard.copy()
        for start, stop in pairwise(backwards.indptr):
            backwards.indices[start:stop] = backwards.indices[start:stop][::-1].copy()
        backwards.has_sorted_indices = False
        expected, others = fitted.score(checkerboard), (checkerboard.tocsc(), checkerboard.tocoo())
        ranking = fitted.recommend(checkerboard, 5)
        for X in (checkerboard.toarray(), zeros, backwards, halves(checkerboard), *others):
            again = MODELS[key]().fit(X)
            assert np.array_equal(again.score(checkerboard), expected)
            assert np.array_equal(again.score(X), expected)
            for ours, theirs in zip(again.recommend(X, 5), ranking, strict=True):
                assert np.array_equal(ours, theirs)

    def test_what_is_there_twice_is_added_up(self, fitted, checkerboard):
        """For one user as for many, in scores as in lists."""
        twice = csr_matrix((halves(checkerboard).data * 2, *parts(checkerboard)), shape=(40, 20))
        expected = fitted.score(2 * checkerboard)
        assert np.array_equal(fitted.score(twice), expected)
        for X in (twice, twice[:1]):
            items, scores = fitted.recommend(X, n=20, exclude_seen=False)
            found = np.take_along_axis(expected[: X.shape[0]], items, axis=1)
            assert np.allclose(scores, found, atol=1e-5)
        assert twice.nnz == 2 * checkerboard.nnz

    def test_more_items_than_there_are(self, fitted, checkerboard):
        best, values = fitted.recommend(checkerboard, n=50)
        assert best.shape[1] <= 50 and set(best.ravel()) <= set(range(-1, 20))
        assert (np.isneginf(values) == (best == -1)).all()

    @pytest.mark.parametrize("value", [2.0, -1.0, 0.5, np.nan, np.inf])
    def test_histories_are_binary(self, key, checkerboard, value):
        wrong = checkerboard.copy()
        wrong.data[3] = value
        with pytest.raises(cl.CelsaError, match=r"only 0 and 1, X has a .*set them to 1"):
            MODELS[key]().fit(wrong)

    @pytest.mark.parametrize("n", [0, -3, 2.5, "ten", None])
    def test_n_is_a_count(self, fitted, checkerboard, n):
        with pytest.raises(cl.CelsaError, match="n must be a whole number, at least 1"):
            fitted.recommend(checkerboard, n=n)

    def test_errors_say_what_to_do(self, key, fitted):
        with pytest.raises(cl.CelsaError, match="fitted on 20|have 20"):
            fitted.score(csr_matrix((1, 19)))
        with pytest.raises(cl.CelsaError, match=r"call fit\(X\) first"):
            MODELS[key]().score(csr_matrix((1, 20)))
        with pytest.raises(cl.CelsaError, match=r"call fit\(X\) first"):
            MODELS[key]().recommend(csr_matrix((0, 20)))
        with pytest.raises(cl.CelsaError, match="users are a matrix of numbers"):
            fitted.recommend("Alpha")
        with pytest.raises(cl.CelsaError, match="empty matrix"):
            MODELS[key]().fit(csr_matrix((5, 20)))

    def test_is_an_estimator_of_scikit_learn(self, key, fitted, checkerboard):
        """Parameters out and in, a clone that knows nothing, a repr that makes it again."""
        params = fitted.get_params()
        assert set(params) == set(inspect.signature(type(fitted)).parameters)
        copy = clone(fitted)
        assert copy.get_params() == params and not hasattr(copy, "n_items_")
        with pytest.raises(NotFittedError):
            check_is_fitted(copy)
        check_is_fitted(fitted)
        assert eval(repr(fitted), {type(fitted).__name__: type(fitted)}).get_params() == params
        again = type(fitted)().set_params(**params).fit(checkerboard)
        assert np.array_equal(again.score(checkerboard), fitted.score(checkerboard))

    def test_what_set_params_breaks_is_found_before_any_work(self, key, fitted):
        params = fitted.get_params()
        for name in params.keys() & {"width", "nnz", "reg", "epochs", "sae_epochs", "seed"}:
            model = clone(fitted).set_params(**{name: "many"})
            with pytest.raises(ConfigError, match=f"{name} must be a .* got 'many'"):
                model.fit(None)
        with pytest.raises(TypeError, match="unexpected keyword|takes no arguments"):
            type(fitted)(learning_rat=1)

    def test_knows_its_items(self, key, fitted, checkerboard):
        assert fitted.n_items_ == 20 and fitted.item_ids_.tolist() == list(range(20))
        ids = [f"item {number}" for number in range(20)]
        model = MODELS[key]()
        assert model.fit(checkerboard, item_ids=ids) is model
        assert model.item_ids_.tolist() == ids
        assert np.array_equal(model.score(checkerboard), fitted.score(checkerboard))
        for wrong in (ids[1:], [ids]):
            with pytest.raises(cl.CelsaError, match="20 items and item_ids .* one id per column"):
                MODELS[key]().fit(checkerboard, wrong)
        if hasattr(model, "item_embeddings"):
            assert model.item_embeddings.item_ids.tolist() == ids

    def test_saved_and_loaded_embeddings_recommend_the_same(self, fitted, checkerboard, tmp_path):
        if not hasattr(fitted, "item_embeddings"):
            pytest.skip("no embeddings to save")
        loaded = cl.ItemEmbeddings.load(fitted.item_embeddings.save(tmp_path / "items.npz"))
        pairs = zip(loaded.recommend(checkerboard), fitted.recommend(checkerboard), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)
        assert loaded.bytes_per_item == fitted.bytes_per_item

    def test_says_how_it_was_trained(self, key, fitted):
        """What is trained by gradient, by the registry, has a history, precision and backend."""
        of_class = [m for m in METHODS if m.name == type(fitted).__name__]
        if not of_class[0].trained:
            assert not hasattr(fitted, "history_")
            return
        assert fitted.precision_ == "float32" and fitted.history_
        assert set(fitted.backend_.split(", ")) <= {"sparse", "dense"}

    def test_embeddings(self, key, fitted, checkerboard):
        if not hasattr(fitted, "item_embeddings"):
            pytest.skip("no embeddings: scores come from an items × items matrix")
        embeddings = fitted.item_embeddings
        rows, X = embeddings.matrix.toarray(), checkerboard.toarray()
        lengths, asked, own = np.linalg.norm(rows, axis=1), X, 1
        if embeddings.is_anchored:  # the length of a row is its output scale
            asked = X * embeddings.input_scales
            own = embeddings.input_scales * lengths
        else:
            assert np.allclose(lengths, 1, atol=1e-5)
        expected = asked @ (rows / lengths[:, None]) @ rows.T - X * own
        assert np.allclose(fitted.score(checkerboard), expected, atol=1e-5)
        assert embeddings.bytes_per_item == fitted.bytes_per_item


def test_ease_against_the_naive_inverse(histories):
    X = histories.toarray().astype(np.float64)
    P = np.linalg.inv(X.T @ X + 3.0 * np.eye(60))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    model = cl.EASE(reg=3.0).fit(histories)
    assert np.allclose(model.weights_, B, atol=1e-6)
    assert np.allclose(model.score(histories), X @ B, atol=1e-5)


def test_ease_is_the_minimum(histories):
    """Any other zero-diagonal B has a larger ridge objective."""
    X, B = histories.toarray(), cl.EASE(reg=3.0).fit(histories).weights_
    objective = lambda W: ((X - X @ W) ** 2).sum() + 3.0 * (W**2).sum()  # noqa: E731
    rng = np.random.default_rng(0)
    for _ in range(5):
        step = rng.normal(0, 0.01, B.shape)
        np.fill_diagonal(step, 0)
        assert objective(B + step) > objective(B)


def test_pruned_ease_keeps_the_largest_of_each_row(histories):
    full = cl.EASE(reg=3.0).fit(histories)
    pruned = cl.PrunedEASE.from_ease(full, nnz=7)
    for row, kept in zip(full.weights_, pruned.weights_.toarray(), strict=True):
        expected = np.sort(np.argsort(-np.abs(row))[:7])
        assert np.array_equal(np.flatnonzero(kept), expected)
        assert np.array_equal(kept[expected], row[expected])
    assert pruned.get_params() == cl.PrunedEASE(reg=3.0, nnz=7).get_params()
    alone = cl.PrunedEASE(reg=3.0, nnz=7).fit(histories)
    assert np.array_equal(alone.score(histories), pruned.score(histories))
    with pytest.raises(cl.CelsaError, match=r"EASE has learned nothing yet; call fit"):
        cl.PrunedEASE.from_ease(cl.EASE())
    with pytest.raises(cl.CelsaError, match="X has 59 items, Pruned EASE was fitted on 60"):
        pruned.score(histories[:, :59])
    assert prune_rows(full.weights_, 1000).nnz == np.count_nonzero(full.weights_)


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda nnz: cl.PrunedEASE(nnz=nnz), "for no more than 59 others"),
        (lambda nnz: SparseMRF(nnz=nnz), "for no more than 59 others"),
        (
            lambda nnz: cl.CompressedELSA(nnz=nnz, recipe="recommended", epochs=1, progress=False),
            "no more of an item's 50 closest correlate with it",
        ),
    ],
)
def test_rows_that_cannot_fill_their_budget_say_so(make, most, histories, caplog):
    """By a line of the log; the size of a model is what it holds."""
    model = make(500).fit(histories)
    (said,) = [text for text in caplog.messages if "nnz is 500" in text]
    assert most in said and model.bytes_per_item < 8 * 60
    caplog.clear()
    assert make(4).fit(histories).bytes_per_item <= 8 * 4
    assert "nnz is" not in caplog.text


@pytest.fixture(scope="module")
def dense_gram():
    """800 users × 1,500 items, of which nearly all pairs have users in common."""
    rng = np.random.default_rng(0)
    return csr_matrix((rng.random((800, 1500)) < 0.08).astype(np.float32))


def peak_of(call) -> tuple[object, int]:
    """What `call` gives, and how much memory it has taken at most, in bytes."""
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_gram_matrix_takes_little_more_than_itself(dense_gram):
    found, peak = peak_of(lambda: gram_matrix(dense_gram))
    expected = (dense_gram.T @ dense_gram).astype(np.float64).toarray(order="F")
    assert np.array_equal(found, expected) and found.flags.f_contiguous
    assert peak < 12 * 1500**2  # 8, and blocks of columns


def test_ease_takes_as_much_memory_as_it_says(dense_gram):
    model, peak = peak_of(lambda: cl.EASE().fit(dense_gram))
    assert peak < 12.5 * 1500**2
    pruned, peak = peak_of(lambda: prune_rows(model.weights_, 16))
    kept = np.argpartition(np.abs(model.weights_), -16, axis=1)[:, -16:]
    expected = np.zeros_like(model.weights_)
    np.put_along_axis(expected, kept, np.take_along_axis(model.weights_, kept, axis=1), axis=1)
    assert np.array_equal(pruned.toarray(), expected)
    assert peak < 3 * 1500**2


def test_sae_keeps_the_direction_of_the_rows(checkerboard):
    """The autoencoder's loss falls, and a given base is used."""
    base = cl.ELSA(16, **FAST).fit(checkerboard)
    model = cl.SparseAutoencoderELSA.from_elsa(base, code_width=32, nnz=3, **SAE)
    assert model.history_[-1]["loss"] < 0.5 * model.history_[0]["loss"]
    alone = cl.SparseAutoencoderELSA(16, 32, nnz=3, **FAST, **SAE).fit(checkerboard)
    assert (alone.item_embeddings.matrix != model.item_embeddings.matrix).nnz == 0


def test_gradual_pruning_keeps_latents_alive(histories):
    model = cl.CompressedELSA(32, 2, epochs=2, batch_size=64, progress=False).fit(histories)
    assert [e["nnz"] for e in model.history_] == [32, 11, 8, 5, 4, 2, 2]
    assert 0 < model.history_[-1]["active"] <= model.history_[0]["active"] == 32


def test_pruned_ease_of_other_items_is_refused_at_once(histories):
    """Scores of other items cannot be asked for: a pruned EASE has the items of its EASE."""
    pruned = cl.PrunedEASE.from_ease(cl.EASE().fit(histories, range(100, 160)), nnz=4)
    assert pruned.item_ids_.tolist() == list(range(100, 160)) and pruned.n_items_ == 60
    for X in (histories[:, :59], csr_matrix((3, 61))):
        for ask in (pruned.score, pruned.recommend):
            with pytest.raises(DataError, match="items, Pruned EASE was fitted on 60"):
                ask(X)


WRONG = [
    (cl.ELSA, {"width": 0}, "width must be a whole number"),
    (cl.ELSA, {"width": "64"}, "width must be a whole number"),
    (cl.ELSA, {"epochs": 1.5}, "epochs must be a whole number"),
    (cl.ELSA, {"learning_rate": -1}, "learning_rate must be a finite number above 0"),
    (cl.ELSA, {"learning_rate": float("nan")}, "learning_rate must be a finite number"),
    (cl.ELSA, {"epsilon": float("inf")}, "epsilon must be a finite number above 0"),
    (cl.ELSA, {"max_outputs": 0}, "max_outputs must be a whole number"),
    (cl.ELSA, {"backend": "warp"}, 'unknown backend "warp"; choose one of auto, sparse'),
    (cl.ELSA, {"precision": "float16"}, "choose one of float32, tf32, bfloat16"),
    (cl.ELSA, {"backend": "sparse", "device": "cuda"}, "runs on the CPU"),
    (cl.CompressedELSA, {"width": 16, "nnz": 17}, "nnz must be between 1 and the width 16"),
    (cl.CompressedELSA, {"width": 16, "nnz": True}, "nnz must be a whole number"),
    (cl.CompressedELSA, {"schedule": "cubic"}, "exponential"),
    (cl.EASE, {"reg": "big"}, "reg must be a finite number above 0"),
    (cl.EASE, {"reg": 0}, "reg must be a finite number above 0"),
    (cl.PrunedEASE, {"nnz": 0}, "nnz must be a whole number"),
    (cl.SparseAutoencoderELSA, {"sae_epochs": 0}, "sae_epochs must be a whole number"),
    (cl.SparseAutoencoderELSA, {"code_width": 16, "nnz": 17}, "more than code_width"),
]


@pytest.mark.parametrize("cls, parameters, message", WRONG)
def test_parameters_are_checked_when_a_model_is_made(cls, parameters, message):
    with pytest.raises(ConfigError, match=message):
        cls(**parameters)
