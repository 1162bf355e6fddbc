"""The model every other one must beat."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.models.base import Recommender


class Popularity(Recommender):
    """Every user gets the same scores: the number of users who had the item. 4 bytes per item."""

    name = "Popularity"
    bytes_per_item = 4

    def check_parameters(self) -> None:
        """See Recommender; there are none."""

    def _fit(self, X: csr_matrix) -> None:
        self.counts_ = np.asarray(X.sum(axis=0), dtype=np.float32).ravel()

    def _score(self, X: csr_matrix) -> np.ndarray:
        return np.tile(self.counts_, (X.shape[0], 1))
