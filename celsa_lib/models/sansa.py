"""SANSA, through its authors' package."""

import logging
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, check_count, check_positive
from celsa_lib.models.base import Recommender


@dataclass(eq=False, repr=False)
class SANSA(Recommender):
    """EASE with a sparse approximate inverse WᵀD⁻¹W of XᵀX + reg·I (Spišák et al. 2023).

    Scores x·Wᵀ·D·W, where W (`weights_` holds Wᵀ, CSR) is items × items, and D diagonal up to the
    scale of each column, as in EASE. These two numbers per item take the bytes of one nonzero, so W
    has `nnz` − 1 per item: 8·nnz bytes per item. Needs the package `sansa`.
    """

    name = "SANSA"

    reg: float = 100.0
    nnz: int = 16

    def check_parameters(self) -> None:
        """See Recommender."""
        check_positive(reg=self.reg)
        check_count(2, nnz=self.nnz)

    @property
    def bytes_per_item(self) -> int:
        """See Recommender; per item on average."""
        self._check_fitted()
        n_items = self.weights_.shape[0]
        return -(-8 * (self.weights_.nnz + n_items) // n_items)

    def _fit(self, X: csr_matrix) -> None:
        package = _package()
        config = package.SANSAConfig(
            self.reg,
            (self.nnz - 1) / X.shape[1],
            package.CHOLMODGramianFactorizerConfig(),
            package.UMRUnitLowerTriangleInverterConfig(),
        )
        self.weights_, self.scaled_ = package.SANSA(config).fit(X).weights

    def _score(self, X: csr_matrix) -> np.ndarray:
        return (X @ self.weights_ @ self.scaled_).toarray()


def _package():
    """The package, with its notes on progress silenced. Raises ConfigError where it is not here."""
    level = logging.getLogger().level
    try:
        import sansa
    except ImportError as error:
        raise ConfigError(
            "SANSA needs the package sansa, and that SuiteSparse: apt-get install "
            'libsuitesparse-dev, then pip install "celsa[bench]" (with SuiteSparse 5, as in '
            "Debian 12, scikit-sparse==0.4.16)"
        ) from error
    logging.getLogger().setLevel(level)  # it asks for more when it is imported
    logging.getLogger("sansa").setLevel(logging.ERROR)
    return sansa
