"""A crowd of a given size, divided, and a clock of the stages of a training."""

import time
from dataclasses import asdict, dataclass

import numpy as np
from processes import peak_gib
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.data import make_crowd
from celsa_lib.models.recipes import batch_that_fits
from celsa_lib.training import Callback

CURVE_OF = "goodbooks-10k-partial"
TEST_USERS, SHORTEST = 2_000, 5  # users that test, and the fewest interactions of one
MEAN_DRAWS = 23.0  # about 20 interactions: repeated ones count once


@dataclass(frozen=True)
class Source:
    """What a crowd is made from; batch_size, epochs: of training, None: as recommended."""

    n_items: int
    n_users: int
    curve: tuple[float, int]
    batch_size: int | None = None
    epochs: int | None = None
    mean_draws: float = MEAN_DRAWS
    seed: int = 0

    def settings(self) -> dict:
        """Plain values that decide a row."""
        return asdict(self)

    def made(self) -> tuple[csr_matrix, np.ndarray, list, object]:
        """(histories to learn from, test users, one fold of them, their truth)."""
        crowd = make_crowd(
            self.n_users, self.n_items, self.curve, mean_draws=self.mean_draws, seed=self.seed
        )
        rng = np.random.default_rng([self.seed, 1])
        enough = np.flatnonzero(np.diff(crowd.X.indptr) >= SHORTEST)
        users = np.sort(rng.choice(enough, min(TEST_USERS, len(enough) // 2), replace=False))
        learned = np.ones(self.n_users, bool)
        learned[users] = False
        folds = cl.holdout_folds(crowd.X[users], n_folds=1, seed=self.seed)
        return crowd.X[learned], users, folds, crowd.truth(users)

    def seen_by_a_batch(self) -> int:
        """About how many items the users of a batch have seen."""
        train = self.made()[0]
        size = self.batch_size or batch_that_fits(train.shape[0])
        return len(np.unique(train[:size].indices))


class Clock(Callback):
    """Seconds of each stage, those of processors (all threads'), and the peak of memory by then."""

    def __init__(self):
        self.last, self.said = (time.perf_counter(), time.process_time()), {}

    def note(self, stage: str) -> None:
        """A stage has ended."""
        now = time.perf_counter(), time.process_time()
        for name, end, begin in zip(("seconds", "cpu_seconds"), now, self.last, strict=True):
            self.said[f"{name}_{stage}"] = round(end - begin, 2)
        self.said[f"peak_gib_{stage}"] = round(peak_gib(), 3)
        self.last = now

    def begin(self, run) -> None:
        """The rows that training starts from are there."""
        self.note("start")
