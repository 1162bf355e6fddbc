"""ELSA, dense; low-dimensional ELSA is the same model with a small width."""

from dataclasses import KW_ONLY, dataclass

from scipy.sparse import csr_matrix

from celsa_lib.errors import check_count
from celsa_lib.models.gradient import GradientRecommender
from celsa_lib.training import Run, Stage, TrainingOptions
from celsa_lib.training.options import MOST_EPOCHS


@dataclass(eq=False, repr=False)
class ELSA(GradientRecommender):
    """min_A L(X, X(AAᵀ − I)), rows of A (items × width) of unit ℓ2 norm: equation (1).

    L is the mean squared error between ℓ2-normalised rows of X and of ReLU(X(AAᵀ − I)). Size:
    4·width bytes per item, so width = bytes / 4 is the paper's low-dimensional ELSA. recipe
    "recommended": with input dropout, long histories drawn more often, cosine decay and weight
    averaging. Other parameters: see TrainingOptions. Raises ConfigError.
    """

    name = "ELSA"

    width: int = 1024
    _: KW_ONLY
    epochs: int | None = None

    def check_parameters(self) -> None:
        """See Recommender."""
        super().check_parameters()
        check_count(width=self.width)
        if self.epochs is not None:
            check_count(most=MOST_EPOCHS, epochs=self.epochs)

    def _fit(self, X: csr_matrix) -> None:
        filled = self._filled(X, self.width)
        width, options = int(self.width), TrainingOptions.of(filled)
        dense = [Stage(width, int(filled.epochs))]
        run = Run(X, width, [dense], False, options, self.callbacks)
        for _ in run.stages():
            for batch in run.batches():
                run.step(batch)  # of NAdam, down the loss of equation (1)
        self._keep(run.results()[0])
