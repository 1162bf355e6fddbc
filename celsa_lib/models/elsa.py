"""ELSA, dense; low-dimensional ELSA is the same model with a small width."""

from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError, check_count
from celsa_lib.models.base import EmbeddingRecommender
from celsa_lib.models.schedules import make_schedule
from celsa_lib.training import TrainingOptions, train_embeddings


class ELSA(EmbeddingRecommender):
    """min_A L(X, X(AAᵀ − I)), rows of A (items × width) of unit ℓ2 norm: equation (1).

    L is the mean squared error between ℓ2-normalised rows of X and of ReLU(X(AAᵀ − I)). Size:
    4·width bytes an item, so width = bytes / 4 is the paper's low-dimensional ELSA.
    """

    name = "ELSA"

    def __init__(self, width: int = 1024, *, epochs: int = 10, **options):
        """`options`: those of `TrainingOptions` (batch_size, learning_rate, epsilon, seed, …)."""
        check_count(width=width, epochs=epochs)
        self.width, self.epochs = int(width), int(epochs)
        self.options = training_options(options)

    def _fit(self, X: csr_matrix) -> None:
        stages = make_schedule("constant", self.width, self.width, self.epochs)
        A, self.history = train_embeddings(X, self.width, stages, False, self.options)
        self._embeddings = ItemEmbeddings(A)


def training_options(options: dict) -> TrainingOptions:
    """TrainingOptions from keyword arguments. Raises ConfigError for an unknown one."""
    try:
        return TrainingOptions(**options)
    except TypeError as error:
        known = ", ".join(TrainingOptions.__dataclass_fields__)
        raise ConfigError(f"unknown option in {sorted(options)}; known are {known}") from error
