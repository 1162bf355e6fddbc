"""The planted segments are there, seeded, and as described."""

import numpy as np
import pytest

from celsa_lib.data import load_dataset, make_synthetic
from celsa_lib.data.synthetic import segment_name
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.results import load_result

SMALL = {"n_users": 400, "n_items": 205, "n_segments": 10, "segments_per_user": 2}


def test_same_seed_same_data():
    first, second = (load_dataset("synthetic", **SMALL, seed=3) for _ in range(2))
    assert (first.X != second.X).nnz == 0
    assert first.checksum == second.checksum != make_synthetic(**SMALL, seed=4).checksum


def test_items_in_another_order():
    data = make_synthetic(**SMALL)
    order = np.random.default_rng(0).permutation(205)
    moved = data.in_order_of(data.item_ids[order].astype(str))
    assert (data.X[:, order] != moved.X).nnz == 0 and moved.X.has_sorted_indices
    assert moved.items.equals(data.items.iloc[order])
    assert np.array_equal(moved.truth.item_segment, data.truth.item_segment[order])
    assert (moved.in_order_of(data.item_ids).X != data.X).nnz == 0
    for ids in (data.item_ids[1:], [*data.item_ids[1:], 1], [*data.item_ids[1:], "x"]):
        with pytest.raises(DataError, match="not the 205 of synthetic"):
            data.in_order_of(ids)


def test_without_noise_users_stay_in_their_segments():
    data = make_synthetic(**SMALL, noise=0)
    rows, columns = data.X.nonzero()
    own = data.truth.user_segments[rows] == data.truth.item_segment[columns][:, None]
    assert own.any(axis=1).all()
    assert data.X.shape == (400, 205)
    assert (data.X.data == 1).all()
    assert np.bincount(data.truth.item_segment).tolist() == [21] * 5 + [20] * 5


def test_lengths_of_histories_spread_about_the_same_mean():
    """Log-normal means of a Poisson: the same mean, a longer tail. Items enough for few repeats."""
    big = {"n_users": 3000, "n_items": 20_000, "n_segments": 2, "popularity_exponent": 0.0,
           "segments_per_user": 2, "mean_interactions": 40.0}  # fmt: skip
    even, spread = (np.diff(make_synthetic(**big, length_spread=s).X.indptr) for s in (0.0, 0.8))
    assert even.mean() == pytest.approx(40, rel=0.02) == pytest.approx(spread.mean(), rel=0.02)
    assert np.std(np.log(even)) == pytest.approx(40**-0.5, rel=0.1)
    assert np.std(np.log(spread)) == pytest.approx(0.8, rel=0.1)
    assert np.median(spread) == pytest.approx(40 * np.exp(-(0.8**2) / 2), rel=0.06)


def test_without_a_spread_the_draws_are_those_of_older_results():
    """The checksum that results/synthetic.json was computed on."""
    stored = load_result("results/synthetic.json").manifest["data"]["checksum"]
    assert make_synthetic().checksum == make_synthetic(length_spread=0).checksum == stored


def test_pure_noise_ignores_the_segments():
    data = make_synthetic(**SMALL, noise=1)
    rows, columns = data.X.nonzero()
    own = data.truth.user_segments[rows] == data.truth.item_segment[columns][:, None]
    assert own.any(axis=1).mean() == pytest.approx(0.2, abs=0.03)


def test_segments_show_as_blocks_of_co_occurrence():
    data = make_synthetic(**SMALL)
    together = (data.X.T @ data.X).toarray()
    np.fill_diagonal(together, 0)
    same = data.truth.item_segment[:, None] == data.truth.item_segment
    assert together[same].mean() > 4 * together[~same].mean()


def test_popularity_falls_with_the_exponent():
    flat, steep = (make_synthetic(**SMALL, popularity_exponent=e) for e in (0.0, 1.5))
    spread = [np.std(data.X.sum(axis=0)) for data in (flat, steep)]
    assert spread[1] > 2 * spread[0]


def test_weights_decide_who_has_a_segment():
    weights = np.r_[10.0, np.ones(9)]
    data = make_synthetic(**SMALL, segment_weights=weights)
    counts = np.bincount(data.truth.user_segments.ravel(), minlength=10)
    assert counts[0] > 2 * counts[1:].max()
    ordered = np.sort(data.truth.user_segments, axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()


def test_items_are_named():
    data = make_synthetic(**SMALL)
    segment = data.truth.item_segment[12]
    assert data.items.loc[12].tolist() == [f"Item 012 (segment {segment})", segment_name(segment)]


@pytest.mark.parametrize(
    "bad",
    [
        {"n_segments": 300},
        {"segments_per_user": 11},
        {"noise": 1.5},
        {"mean_interactions": 0},
        {"length_spread": -0.1},
        {"segment_weights": [1.0]},
        {"n_users": 0},
        {"unknown": 1},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ConfigError):
        load_dataset("synthetic", **{**SMALL, **bad})


def test_other_datasets_take_no_parameters():
    with pytest.raises(ConfigError, match="takes no n_users"):
        load_dataset("ml-100k", n_users=3)
