"""A crowd: interactions of as many users and items as one likes, and the truth behind them.

Users are drawn a block at a time, so that memory holds the interactions and little more.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import (
    ConfigError,
    check_between,
    check_count,
    check_positive,
    check_seed,
)

BLOCK_USERS = 50_000  # drawn at a time
OFFSETS = np.arange(0, 1000, 5)  # tried by `fit_curve`
MOST_DRAWS = 100  # times the mean: no history has more draws


@dataclass(frozen=True, eq=False)
class Crowd:
    """X: users × items, CSR of ones. share (items,): of all draws, an item's.

    item_segment (items,); user_segments (users × segments of a user), int32: an interaction is a
    draw from one of the user's segments, or, with probability `noise`, from all items.
    """

    X: csr_matrix
    share: np.ndarray
    item_segment: np.ndarray
    user_segments: np.ndarray
    noise: float

    def truth(self, users: np.ndarray) -> "TrueShares":
        """What recommends to `users` by their true probabilities: no model can do better."""
        return TrueShares(self, users)


class TrueShares:
    """Ranks by the probability that a user draws an item; `users`: rows of the crowd, in order."""

    def __init__(self, crowd: Crowd, users: np.ndarray):
        self.crowd, self.users = crowd, users
        self.by_segment, self.starts = _by_segment(crowd.item_segment)
        self.weights = np.bincount(crowd.item_segment, weights=crowd.share)
        self.popular = np.argsort(-crowd.share, kind="stable")

    def recommend(self, X: csr_matrix, n: int = 10, exclude_seen: bool = True):
        """(indices, probabilities), users × n, for histories X (users × items); −1: none left.

        Raises ConfigError unless X has a row for each of the users.
        """
        if X.shape[0] != len(self.users):
            raise ConfigError(f"X has {X.shape[0]} users, and the truth is asked of another number")
        items, values = np.full((len(self.users), n), -1), np.zeros((len(self.users), n))
        for row, user in enumerate(self.users):
            seen = X.indices[X.indptr[row] : X.indptr[row + 1]] if exclude_seen else []
            candidates, chance = self._chances(user, n + len(seen))
            left = ~np.isin(candidates, seen)
            candidates, chance = candidates[left], chance[left]
            best = np.argsort(-chance, kind="stable")[:n]
            items[row, : len(best)], values[row, : len(best)] = candidates[best], chance[best]
        return items, values

    def _chances(self, user: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Items of the user's segments and the `n` most popular of all, and their probabilities."""
        crowd, own = self.crowd, self.crowd.user_segments[user]
        members = [self.by_segment[self.starts[s] : self.starts[s + 1]] for s in own]
        candidates = np.unique(np.concatenate([*members, self.popular[:n]]))
        segment = crowd.item_segment[candidates]
        times = (segment[:, None] == own).sum(axis=1) / len(own)
        of_segment = (1 - crowd.noise) * times / self.weights[segment]
        return candidates, crowd.share[candidates] * (of_segment + crowd.noise)


def fit_curve(X: csr_matrix) -> tuple[float, int]:
    """(exponent, offset) of the popularity of the items of X: count ∝ (rank + offset)^−exponent.

    A Zipf–Mandelbrot curve through the counts above 0, by least squares of their logarithms at
    ranks a constant factor apart. Raises ConfigError unless ten items have been seen.
    """
    counts = np.sort(np.bincount(X.indices, minlength=X.shape[1]))[::-1]
    counts = counts[counts > 0]
    if len(counts) < 10:
        raise ConfigError(f"{len(counts)} items have been seen, too few for a curve; pass 10")
    ranks = np.unique(np.geomspace(1, len(counts), 50).astype(int))
    logs, best = np.log(counts[ranks - 1]), None
    for offset in OFFSETS:
        line, (missed, *_), *_ = np.polyfit(np.log(ranks + offset), logs, 1, full=True)
        if best is None or missed < best[0]:
            best = missed, -float(line[0]), int(offset)
    return best[1:]


def make_crowd(
    n_users: int,
    n_items: int,
    curve: tuple[float, int] = (1.0, 20),
    segment_size: int = 100,
    segments_per_user: int = 4,
    mean_draws: float = 25.0,
    length_spread: float = 0.8,
    noise: float = 0.05,
    seed: int = 0,
) -> Crowd:
    """Users who mix segments of about `segment_size` items, whose popularity follows `curve`.

    curve: (exponent, offset), see `fit_curve`. A user's segments are drawn in proportion to the
    popularity of their items, so that draws have the curve; a user draws max(5, Poisson(m)) items,
    m log-normal of mean `mean_draws` and `length_spread` the standard deviation of log m. Repeated
    draws count once. Raises ConfigError for a parameter out of its range.
    """
    check_count(n_users=n_users, n_items=n_items, segment_size=segment_size)
    check_count(segments_per_user=segments_per_user)
    check_between(0, 100, exponent=curve[0])
    check_between(0, 1e9, offset=curve[1])
    check_between(0, 3, length_spread=length_spread)
    check_between(0, 1, noise=noise)
    check_positive(mean_draws=mean_draws)
    check_seed(seed)
    rng = np.random.default_rng(seed)
    share = (np.arange(1, n_items + 1) + float(curve[1])) ** -float(curve[0])
    share = rng.permutation(share / share.sum())
    item_segment = rng.permutation(n_items) // segment_size
    by_segment, starts = _by_segment(item_segment)
    ladder = np.cumsum(share[by_segment])
    ladder /= ladder[-1]
    steps = np.concatenate([[0.0], ladder[starts[1:] - 1]])  # segment s owns steps s to s + 1
    blocks, user_segments = [], np.empty((n_users, segments_per_user), np.int32)
    for first in range(0, n_users, BLOCK_USERS):
        users = slice(first, min(first + BLOCK_USERS, n_users))
        size = users.stop - first, segments_per_user
        user_segments[users] = np.searchsorted(steps, rng.random(size), side="right") - 1
        lengths = _lengths_of(rng, size[0], mean_draws, length_spread)
        rows, places = _draws(rng, lengths, user_segments[users], ladder, steps, noise)
        seen = np.ones(len(rows), np.float32), (rows, by_segment[places])
        block = csr_matrix(seen, shape=(size[0], n_items))
        blocks.append((block.indptr, block.indices))
    return Crowd(_stacked(blocks, n_items), share, item_segment, user_segments, noise)


def _by_segment(item_segment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Items in order of their segment, int32, and where each segment starts."""
    order = np.argsort(item_segment, kind="stable").astype(np.int32)
    return order, np.concatenate([[0], np.cumsum(np.bincount(item_segment))])


def _lengths_of(rng, n_users: int, mean: float, spread: float) -> np.ndarray:
    means = mean * rng.lognormal(-(spread**2) / 2, spread, size=n_users)
    return np.maximum(5, rng.poisson(np.minimum(means, MOST_DRAWS * mean)))


def _draws(rng, lengths, own, ladder, steps, noise) -> tuple[np.ndarray, np.ndarray]:
    """User of every draw, and its place on the ladder."""
    rows = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    segment = own[rows, rng.integers(own.shape[1], size=len(rows))]
    anywhere = rng.random(len(rows)) < noise
    low = np.where(anywhere, 0.0, steps[segment])
    high = np.where(anywhere, 1.0, steps[segment + 1])
    places = np.searchsorted(ladder, low + rng.random(len(rows)) * (high - low), side="right")
    return rows, np.minimum(places, len(ladder) - 1)


def _stacked(blocks: list[tuple[np.ndarray, np.ndarray]], n_items: int) -> csr_matrix:
    """CSR of ones from (starts, items) of blocks of users."""
    lengths = np.concatenate([np.diff(starts) for starts, _ in blocks])
    indices = np.concatenate([items for _, items in blocks]).astype(np.int32, copy=False)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ones = np.ones(len(indices), np.float32)
    return csr_matrix((ones, indices, starts), shape=(len(lengths), n_items))
