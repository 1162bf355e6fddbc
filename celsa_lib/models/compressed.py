"""Compressed ELSA: sparse rows learned during training (Section 2)."""

from collections.abc import Iterable

from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError
from celsa_lib.models.base import EmbeddingRecommender
from celsa_lib.models.elsa import training_options
from celsa_lib.models.schedules import make_schedule
from celsa_lib.training import train_embeddings, train_paths


class CompressedELSA(EmbeddingRecommender):
    """min_A L(X, X(Ā_s Ā_sᵀ − I)), Ā_s the renormalised top-k rows of A: equations (2) and (3).

    A is items × width; k falls from width to `nnz` by `schedule` ("constant", "linear",
    "exponential", "step-wise"), with `epochs` epochs at the end. With `restart` the survivors of a
    prune go back to their initial values. Size: 8·nnz bytes an item.
    """

    name = "Compressed ELSA"

    def __init__(
        self,
        width: int = 4096,
        nnz: int = 16,
        schedule: str = "exponential",
        restart: bool = True,
        epochs: int = 10,
        **options,
    ):
        """`options` are those of `TrainingOptions`. Raises ConfigError for a bad parameter."""
        self.stages = make_schedule(schedule, width, nnz, epochs)
        self.width, self.nnz = int(width), int(nnz)
        self.schedule, self.restart, self.epochs = schedule, restart, epochs
        self.options = training_options(options)

    def _fit(self, X: csr_matrix) -> None:
        stages = self.stages
        A, self.history = train_embeddings(X, self.width, stages, self.restart, self.options)
        self._embeddings = ItemEmbeddings(A)

    @classmethod
    def fit_budgets(cls, X: csr_matrix, budgets: Iterable[int], **parameters):
        """A fitted model for each nnz of `budgets`, by nnz: what separate fits give, bit for bit.

        `parameters` are those of the class but `nnz`. Stages that the schedules have in common
        are trained once: all of an exponential or step-wise path down to the smallest budget.
        Raises CelsaError as the class and `fit` do.
        """
        models = {nnz: cls(nnz=nnz, **parameters) for nnz in budgets}
        if not models:
            raise ConfigError("budgets is empty; name at least one number of nonzeros a row")
        first = next(iter(models.values()))
        X = first._checked(X)
        paths = [model.stages for model in models.values()]
        trained = train_paths(X, first.width, paths, first.restart, first.options)
        for model, (A, model.history) in zip(models.values(), trained, strict=True):
            model._embeddings, model.n_items = ItemEmbeddings(A), X.shape[1]
        return models
