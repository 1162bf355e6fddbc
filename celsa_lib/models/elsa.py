"""ELSA, dense; low-dimensional ELSA is the same model with a small width."""

from collections.abc import Sequence

from scipy.sparse import csr_matrix

from celsa_lib.errors import check_count
from celsa_lib.models.gradient import GradientRecommender
from celsa_lib.training import Callback, Run, Stage, TrainingOptions


class ELSA(GradientRecommender):
    """min_A L(X, X(AAᵀ − I)), rows of A (items × width) of unit ℓ2 norm: equation (1).

    L is the mean squared error between ℓ2-normalised rows of X and of ReLU(X(AAᵀ − I)). Size:
    4·width bytes per item, so width = bytes / 4 is the paper's low-dimensional ELSA. recipe
    "recommended": with input dropout, long histories drawn more often, cosine decay and weight
    averaging.
    """

    name = "ELSA"

    def __init__(
        self,
        width: int = 1024,
        *,
        epochs: int | None = None,
        recipe: str = "paper",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        cosine_decay: bool | None = None,
        dropout: float | None = None,
        length_exponent: float | None = None,
        weight_averaging: float | None = None,
        epsilon: float = 1e-7,
        relu_cap: float | None = None,
        max_outputs: int | None = None,
        repeat_negatives: bool = False,
        precision: str = "float32",
        backend: str = "auto",
        device: str = "auto",
        seed: int = 0,
        callbacks: Sequence[Callback] = (),
        progress: bool = True,
    ):
        """Parameters after `recipe`: see TrainingOptions. Raises ConfigError."""
        self.width = width
        self.epochs = epochs
        self.recipe = recipe
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.cosine_decay = cosine_decay
        self.dropout = dropout
        self.length_exponent = length_exponent
        self.weight_averaging = weight_averaging
        self.epsilon = epsilon
        self.relu_cap = relu_cap
        self.max_outputs = max_outputs
        self.repeat_negatives = repeat_negatives
        self.precision = precision
        self.backend = backend
        self.device = device
        self.seed = seed
        self.callbacks = callbacks
        self.progress = progress
        self.check_parameters()

    def check_parameters(self) -> None:
        """See Recommender."""
        super().check_parameters()
        check_count(width=self.width)
        if self.epochs is not None:
            check_count(epochs=self.epochs)

    def _fit(self, X: csr_matrix) -> None:
        filled = self._filled(X, self.width)
        width, options = int(self.width), TrainingOptions.of(filled)
        dense = [Stage(width, int(filled.epochs))]
        run = Run(X, width, [dense], False, options, self.callbacks)
        for _ in run.stages():
            for batch in run.batches():
                run.step(batch)  # of NAdam, down the loss of equation (1)
        self._keep(run.results()[0])
