"""Compressed ELSA as its authors train it, through their package compresso-recsys."""

from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, check_count, check_positive, check_seed
from celsa_lib.models.base import EmbeddingRecommender
from celsa_lib.training.options import MOST_EPOCHS


class Compresso(EmbeddingRecommender):
    """min_A L(X, X(Ā_k Ā_kᵀ − I)), as CompressedELSA, with a mask that moves.

    A is items × width. k falls exponentially from width to `nnz` in `stages` stages. In each the
    top k of every row are chosen anew at each step, and the gradient reaches all entries, until the
    next mask changes little or for `stage_epochs` epochs; survivors then go back to their initial
    values. `epochs` more, with cosine decay, train what is left: 8·nnz bytes per item. Defaults are
    those of the package's documentation, whose example has `nnz` 64. Needs `compresso_recsys`.

    After fitting: history_ (a dict per epoch), precision_ and backend_ as of GradientRecommender.
    """

    name = "compresso-recsys"

    def __init__(
        self,
        width: int = 1024,
        nnz: int = 16,
        epochs: int = 10,
        *,
        stages: int = 10,
        stage_epochs: int = 20,
        batch_size: int = 1024,
        learning_rate: float = 0.1,
        seed: int = 0,
        progress: bool = True,
    ):
        """Raises ConfigError."""
        self.width = width
        self.nnz = nnz
        self.epochs = epochs
        self.stages = stages
        self.stage_epochs = stage_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.progress = progress
        self.check_parameters()

    def check_parameters(self) -> None:
        """See Recommender."""
        check_count(width=self.width, nnz=self.nnz, batch_size=self.batch_size)
        epochs = {"epochs": self.epochs, "stages": self.stages, "stage_epochs": self.stage_epochs}
        check_count(most=MOST_EPOCHS, **epochs)
        check_seed(self.seed)
        check_positive(learning_rate=self.learning_rate)
        if self.nnz > self.width:
            raise ConfigError(f"nnz must be between 1 and the width {self.width}, got {self.nnz}")

    def _fit(self, X: csr_matrix) -> None:
        package = _package()
        compression = package.ELSACompressionConfig(
            self.nnz, num_stages=self.stages, max_epochs_per_stage=self.stage_epochs
        )
        config = package.ELSAConfig(
            latent_dim=self.width,
            batch_size=self.batch_size,
            epochs=self.epochs,
            lr=self.learning_rate,
            decay=True,
            seed=self.seed,
            show_progress=self.progress,
            compression=compression,
        )
        # It sets torch's global seed, and prints a line per stage.
        with torch.random.fork_rng(devices=[]), redirect_stdout(StringIO()):
            trainer = package.ELSATrainer(config).fit(X)
        self._keep_rows(_csr(trainer.elsa.export_item_embeddings()))
        self.history_ = [{"nnz": int(e.get("k", self.nnz)), **e} for e in trainer.history]
        self.precision_, self.backend_ = "float32", "dense"


def _csr(rows) -> csr_matrix:
    """The package's rows, as many nonzeros in each, as CSR."""
    cols, values = rows.cols.numpy(), rows.vals.numpy()
    starts = np.arange(0, cols.size + 1, cols.shape[1])
    return csr_matrix((values.ravel(), cols.ravel(), starts), shape=tuple(rows.shape))


def _package():
    """The package. Raises ConfigError where it is not here."""
    try:
        from compresso_recsys import models
    except ImportError as error:
        raise ConfigError(
            'compresso-recsys needs the package of that name: pip install "celsa[bench]"'
        ) from error
    return models
