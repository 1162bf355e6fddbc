"""The recommended setting: anchored rows, scales, what is filled in, and answers one can read."""

import warnings

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix, diags_array
from sklearn.base import clone

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.evaluation.exposure import exposure
from celsa_lib.models import recipes
from celsa_lib.models.recipes import batch_that_fits
from celsa_lib.training.anchored import STRENGTH, anchored_rows, neighbourhoods
from celsa_lib.training.dropout import seeds_of

CPU = torch.device("cpu")
QUIET = {"recipe": "recommended", "progress": False}
QUESTIONS = {  # what a person would ask, and titles of which most must be among the first ten
    ("Star Wars",): ["Return of the Jedi", "Empire Strikes Back, The", "Raiders of the Lost Ark"],
    ("Toy Story", "Aladdin", "Lion King, The"): ["Beauty and the Beast"],
    ("Alien", "Aliens"): ["Blade Runner", "Terminator, The", "Terminator 2: Judgment Day"],
    ("Godfather, The",): ["Godfather: Part II, The"],
    ("Scream",): ["Scream 2", "I Know What You Did Last Summer"],
    ("Casablanca",): ["Maltese Falcon, The", "Citizen Kane", "North by Northwest"],
    ("Star Trek: First Contact",): ["Star Trek: The Wrath of Khan", "Star Trek: Generations"],
    ("Batman",): ["Batman Returns", "Batman Forever"],
    ("Rear Window",): ["Vertigo", "North by Northwest", "Psycho"],
    ("Cinderella", "Snow White and the Seven Dwarfs"): ["Fantasia", "Pinocchio", "Dumbo"],
    ("Pulp Fiction",): ["GoodFellas", "Usual Suspects, The", "Reservoir Dogs"],
    ("Sense and Sensibility",): ["Emma", "Persuasion", "Postino, Il"],
}


@pytest.fixture(scope="module")
def movies():
    return cl.load_dataset("ml-100k")


@pytest.fixture(scope="module")
def fitted(movies):
    return cl.CompressedELSA(nnz=16, **QUIET).fit(movies.X, movies.item_ids)


def answers(model, movies, liked: tuple[str, ...], n: int = 10) -> list[str]:
    """The titles shown to somebody who likes `liked`."""
    titles = movies.items["title"].tolist()
    x = csr_matrix((np.ones(len(liked)), ([0] * len(liked), [titles.index(t) for t in liked])),
                   shape=(1, len(titles)))  # fmt: skip
    return [titles[i] for i in model.recommend(x, n)[0][0]]


def test_the_answers_are_those_a_person_would_expect(fitted, movies):
    """A dozen questions: to each at least one expected title, to all two thirds of them."""
    found = {liked: answers(fitted, movies, liked) for liked in QUESTIONS}
    hits = {liked: [t for t in QUESTIONS[liked] if t in found[liked]] for liked in QUESTIONS}
    missed = {liked: found[liked] for liked in QUESTIONS if not hits[liked]}
    assert not missed
    expected = sum(len(titles) for titles in QUESTIONS.values())
    assert sum(map(len, hits.values())) >= 2 / 3 * expected, hits


def test_it_is_far_above_the_papers_procedure_on_little_data(movies):
    """nDCG@100 of validation users at 64 bytes per item, against whole EASE and the procedure."""
    split = cl.split_users(movies.X, n_test=150, n_val=150, seed=42)
    folds = cl.holdout_folds(split.val)
    score = lambda model: cl.evaluate(model.fit(split.train), folds)  # noqa: E731
    ours, ease = score(cl.CompressedELSA(nnz=8, **QUIET)), score(cl.EASE(300.0))
    paper = score(cl.CompressedELSA(width=256, nnz=8, epochs=2, progress=False))
    assert cl.paired_difference(ours, paper).low > 0.02
    assert abs(cl.paired_difference(ours, ease).mean) < 0.01


def test_a_dense_elsa_profits_too(movies):
    split = cl.split_users(movies.X, n_test=150, n_val=150, seed=42)
    folds = cl.holdout_folds(split.val)
    ours, plain = (
        cl.evaluate(cl.ELSA(256, recipe=recipe, progress=False).fit(split.train), folds)
        for recipe in ("recommended", "paper")
    )
    assert cl.paired_difference(ours, plain).low > 0.02


def test_an_autoencoder_has_the_regularised_elsa_below_it(histories):
    """Alone and of a given ELSA it is the same; what that has filled in is its own."""
    sizes = {"code_width": 32, "nnz": 3, "sae_epochs": 5}
    base = cl.ELSA(16, **QUIET).fit(histories)
    model = cl.SparseAutoencoderELSA.from_elsa(base, **sizes)
    alone = cl.SparseAutoencoderELSA(16, **sizes, **QUIET).fit(histories)
    assert (alone.item_embeddings.matrix != model.item_embeddings.matrix).nnz == 0
    for name in ("dropout", "length_exponent", "cosine_decay", "weight_averaging", "batch_size"):
        assert alone.resolved_[name] == base.resolved_[name], name


@pytest.mark.parametrize("part", [{"cosine_decay": False}, {"weight_averaging": 0.0}])
def test_the_rate_of_an_autoencoder_falls_and_its_weights_are_a_mean(histories, part):
    """Of the same rows it makes other codes without either."""
    base = cl.ELSA(16, **QUIET).fit(histories)
    codes = []
    for resolved in (base.resolved_, base.resolved_ | part):
        base.resolved_ = resolved
        model = cl.SparseAutoencoderELSA.from_elsa(base, code_width=32, nnz=3, sae_epochs=5)
        codes.append(model.item_embeddings.matrix)
    assert (codes[0] != codes[1]).nnz > 0


@pytest.mark.parametrize("short", [1, 0, -1000])
def test_partial_correlations_of_whole_neighbourhoods_are_those_of_the_inverse(histories, short):
    """With all others as neighbours each block is XᵀX + λI, in another order; then P is whole."""
    n_items = histories.shape[1]
    near = neighbourhoods(histories, 20.0, CPU, n_neighbours=n_items - short)
    P = np.linalg.inv((histories.T @ histories).toarray() + 20.0 * np.eye(n_items))
    r = -P / np.sqrt(np.outer(np.diag(P), np.diag(P)))
    np.fill_diagonal(r, 0.0)
    assert (histories.T @ histories).toarray().all()  # everybody is everybody's neighbour
    assert np.allclose(near.partial.toarray(), np.maximum(r, 0.0), atol=1e-5)
    assert np.allclose(near.precision, np.diag(P), rtol=1e-4)


def test_a_start_by_other_neighbourhoods_is_another_start(movies):
    rows = [
        cl.CompressedELSA(nnz=8, recipe="recommended", n_neighbours=n, epochs=1, progress=False)
        .fit(movies.X)
        .item_embeddings.matrix
        for n in (None, 50, 10)
    ]
    assert (rows[0] != rows[1]).nnz == 0 and (rows[1] != rows[2]).nnz > 0
    with pytest.raises(cl.CelsaError, match="n_neighbours"):
        cl.CompressedELSA(n_neighbours=0).fit(movies.X)


def test_a_pair_of_items_by_hand():
    """Two items, three users: P = (XᵀX + I)⁻¹ of ((3, 1), (1, 3)) is ((3, −1), (−1, 3))/8."""
    X = csr_matrix(np.array([[1, 1], [1, 0], [0, 1]], dtype=np.float32))
    near = neighbourhoods(X, 1.0, CPU)
    assert near.partial.toarray() == pytest.approx(np.array([[0, 1 / 3], [1 / 3, 0]]))
    assert near.precision == pytest.approx([3 / 8, 3 / 8])


def test_rows_hold_the_strongest_of_the_whole_matrix_above_a_floor(movies):
    near = neighbourhoods(movies.X, 300.0, CPU)
    rows = anchored_rows(near, nnz=8, floor=4, scales=True, device=CPU)
    values, cols, starts = (part.numpy() for part in rows.flat())
    A = csr_matrix((values, cols, starts), shape=near.partial.shape)
    lengths = np.diff(starts)
    assert A.nnz == 8 * A.shape[0] and rows.nnz == 8
    assert lengths.max() > 16
    assert np.array_equal(A.diagonal(), np.ones(A.shape[0], np.float32))
    enough = np.diff(near.partial.indptr) >= 3
    assert (lengths[enough] >= 4).all()
    others = A.copy()
    others.setdiag(0)
    others.eliminate_zeros()
    assert np.allclose(others.data, STRENGTH * near.partial[others.nonzero()].A1)
    in_scores = diags_array(STRENGTH / np.sqrt(near.precision)) @ near.partial
    kept = in_scores.multiply(others != 0).tocsr()
    beyond = [np.sort(kept[i].data)[:-3] for i in range(len(lengths))]
    weakest = np.concatenate(beyond).min()  # kept by the threshold: no entry above it is left out
    assert (in_scores - kept).max() <= weakest + 1e-6


def test_scores_are_the_formula_with_scales(fitted, movies):
    """x·W·(U·Uᵀ − I)·S, written out; and ranking, a file and one user agree with it."""
    embeddings = fitted.item_embeddings
    A, w = embeddings.matrix.toarray().astype(float), embeddings.input_scales.astype(float)
    s = np.linalg.norm(A, axis=1)
    U, X = A / s[:, None], movies.X[:40]
    naive = (X.toarray() * w) @ (U @ U.T - np.eye(len(w))) * s
    assert np.allclose(embeddings.score(X), naive, atol=1e-4)
    assert s.std() > 0.01 and w.std() > 0.01
    ranked = np.where(X.toarray() > 0, -np.inf, naive)
    for users in (X, X[:3]):
        items, scores = embeddings.recommend(users, 5)
        best = -np.sort(-ranked[: users.shape[0]], axis=1)[:, :5]
        assert np.allclose(scores, best, atol=1e-4)
        assert np.allclose(np.take_along_axis(ranked[: users.shape[0]], items, 1), best, atol=1e-4)


def test_scales_come_back_from_a_file(fitted, movies, tmp_path):
    embeddings = fitted.item_embeddings
    back = cl.ItemEmbeddings.load(embeddings.save(tmp_path / "items.npz"))
    assert np.array_equal(back.input_scales, embeddings.input_scales)
    assert np.array_equal(back.score(movies.X[:5]), embeddings.score(movies.X[:5]))
    with pytest.raises(DataError, match="pass one number per row"):
        cl.ItemEmbeddings(embeddings.matrix, input_scales=np.ones(3))


def test_what_is_left_out_is_filled_and_told(fitted, movies):
    resolved = fitted.resolved_
    assert resolved["width"] == movies.X.shape[1] == fitted.item_embeddings.matrix.shape[1]
    assert fitted.get_params()["width"] is None  # the caller's parameters stay as they are
    assert {"batch_size", "epochs", "learning_rate", "dropout", "reg", "floor"} <= resolved.keys()
    assert all(resolved[name] is not None for name in ("dropout", "reg", "floor", "support"))
    own = cl.CompressedELSA(nnz=8, dropout=0.1, epochs=1, **QUIET).fit(movies.X)
    assert own.resolved_["dropout"] == 0.1 and len(own.history_) == 1


@pytest.mark.parametrize(
    ("learners", "size"), [(1, 1), (79, 4), (638, 32), (5_000, 256), (1_000_000, 1024)]
)
def test_a_batch_that_fits(learners, size):
    assert batch_that_fits(learners) == size


def test_too_few_steps_are_told(histories):
    with pytest.warns(UserWarning, match="1 step, .*; take batch_size 16, or recipe="):
        cl.CompressedELSA(16, 2, epochs=1, batch_size=1024, progress=False).fit(histories)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cl.CompressedELSA(16, 2, epochs=1, progress=False).fit(histories)
    with pytest.warns(UserWarning, match='9 steps, .*; take recipe="recommended" or more epochs'):
        cl.CompressedELSA(16, 2, epochs=1, progress=False).fit(histories[:9])


@pytest.mark.parametrize(
    ("users", "length", "exponent"), [(9_999, 60, 0.5), (10_000, 49, 1.0), (10_000, 50, 0.0)]
)
def test_long_histories_count_more_where_little_is_known_of_users(users, length, exponent):
    """Few users; many with short histories; many with long ones."""
    columns = np.tile(np.arange(length), users)
    X = csr_matrix((np.ones(users * length), columns, np.arange(users + 1) * length))
    assert recipes.of_data(X, users, 8)["length_exponent"] == exponent
    assert recipes.of_data(X, users, None)["length_exponent"] == exponent


@pytest.mark.parametrize(
    ("users", "length", "small", "others"),
    [(9_999, 20, 1000.0, 300.0), (10_000, 20, 100.0, 100.0), (10_000, 60, 1000.0, 100.0)],
)
def test_small_rows_hold_chance_back_but_where_many_have_short_histories(
    users, length, small, others
):
    columns = np.tile(np.arange(length), users)
    X = csr_matrix((np.ones(users * length), columns, np.arange(users + 1) * length))
    found = [recipes.of_data(X, users, nnz)["reg"] for nnz in (2, 4, 5, 64)]
    assert found == [small, small, others, others]


def test_sizes_with_another_regularisation_are_separate_fits(histories):
    model = cl.CompressedELSA(recipe="recommended", epochs=2, progress=False)
    together = model.fit_budgets(histories, (8, 4))
    for nnz, one in together.items():
        alone = clone(model).set_params(nnz=nnz).fit(histories)
        assert one.resolved_["reg"] == (1000.0 if nnz == 4 else 300.0)
        assert (one.item_embeddings.matrix != alone.item_embeddings.matrix).nnz == 0


def test_wrong_recipes_are_found_before_any_work(histories):
    for parameters, message in (
        ({"recipe": "secret"}, 'unknown recipe "secret"; choose one of paper, recommended'),
        ({"support": "regrown"}, 'unknown support "regrown"'),
        ({"scales": True}, "scales belong to anchored rows"),
        ({"dropout": 1.0}, "dropout is a share from 0 up to 1"),
        ({"length_exponent": -1.0}, "length_exponent must be a finite number, 0 or above"),
        ({"floor": 0}, "floor"),
        ({"floor": 3}, "floor is 3: no row has less"),
        ({"reg": -1.0}, "reg"),
    ):
        with pytest.raises(ConfigError, match=message):
            cl.CompressedELSA(nnz=2, **parameters)
    with pytest.raises(ConfigError, match="nnz is 1: .* take at least 2"):
        cl.CompressedELSA(nnz=1, recipe="recommended")
    with pytest.raises(ConfigError, match="a latent per item, 60 here, not 16"):
        cl.CompressedELSA(16, 2, **QUIET).fit(histories)


def test_anchored_rows_may_be_trained_as_the_paper_does(histories):
    """What belongs to them is filled in by the data; the rest is the paper's."""
    model = cl.CompressedELSA(nnz=4, support="anchored", epochs=1, progress=False).fit(histories)
    found = {name: model.resolved_[name] for name in ("width", "floor", "reg", "dropout", "scales")}
    assert found == {"width": 60, "floor": 3, "reg": 1000.0, "dropout": 0.0, "scales": False}


def test_budgets_are_those_of_separate_fits(histories):
    together = cl.CompressedELSA(**QUIET).fit_budgets(histories, (2, 4))
    for nnz, model in together.items():
        alone = cl.CompressedELSA(nnz=nnz, **QUIET).fit(histories)
        assert (alone.item_embeddings.matrix != model.item_embeddings.matrix).nnz == 0


def test_segments_of_anchored_rows_hold_more_than_one_item(fitted, movies):
    """Around exemplars; an item that is like none of them stays alone."""
    embeddings = fitted.item_embeddings
    assert embeddings.is_anchored
    segments = cl.segment_items(embeddings, movies.items)
    assert len(segments) < len(movies.items) / 4
    x = movies.X[:1]
    items, scores = segments.recommend_items(x, 0, 3)
    everything = embeddings.score(x)[0]
    assert np.allclose(scores[0], everything[items[0]], atol=1e-5)


@pytest.mark.parametrize("options", [{"backend": "dense"}, {"repeat_negatives": True}])
def test_what_cannot_train_anchored_rows_says_so(histories, options):
    with pytest.raises(ConfigError, match='does not train anchored rows .* device "cpu"'):
        cl.CompressedELSA(nnz=2, device="cpu", **options, **QUIET).fit(histories)


def test_coverage_and_rare_recall_by_hand():
    """Five items of falling popularity, the last two are rare; lists in that order, seen left out.

    Two users, one fold: the first has seen item 0 and misses 4, the second has seen 4 and misses 0.
    """
    given = csr_matrix(np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]], dtype=np.float32))
    target = csr_matrix(np.array([[0, 0, 0, 0, 1], [1, 0, 0, 0, 0]], dtype=np.float32))
    popularity = np.array([9, 8, 7, 2, 1])

    class Shows:
        def __init__(self, items):
            self.items = np.array(items)

        def recommend(self, X, n, exclude_seen):
            assert (n, exclude_seen) == (50, True)
            return self.items, None

    found = exposure(Shows([[1, 4], [0, 1]]), [(given, target)], popularity)
    assert found.coverage == 3 / 5 and found.rare == 1.0
    missed = exposure(Shows([[1, 2], [0, -1]]), [(given, target)], popularity)
    assert missed.coverage == 3 / 5 and missed.rare == 0.0


def test_no_two_steps_drop_by_the_same_seed():
    for seed in (0, 1, 2**20, 2**31):
        assert len(set(seeds_of(seed, 0, 200_000).tolist())) == 200_000
    assert len(set(seeds_of(0, 0, 5000)) & set(seeds_of(2**20, 0, 5000))) < 10


def test_a_mean_of_rows_whose_support_changes_at_every_step_is_refused():
    with pytest.raises(cl.CelsaError, match="leave weight_averaging out"):
        cl.CompressedELSA(schedule="constant", weight_averaging=0.5)
