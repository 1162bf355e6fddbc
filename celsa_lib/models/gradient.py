"""What models trained by gradient share."""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from scipy.sparse import csr_matrix
from sklearn.base import clone

from celsa_lib.errors import ConfigError, plainly
from celsa_lib.models.base import EmbeddingRecommender
from celsa_lib.models.recipes import check_recipe, fill
from celsa_lib.training import Callback, Trained, TrainingOptions
from celsa_lib.training.device import check_process, resolve_device
from celsa_lib.training.memory import shortage_named

NOT_RESOLVED = ("callbacks", "progress", "device")


@dataclass(eq=False, repr=False)
class GradientRecommender(EmbeddingRecommender):
    """An EmbeddingRecommender with the parameters of `TrainingOptions`, and `callbacks`.

    Parameters that are None are filled from `recipe` and data when it is fitted: resolved_ has all.
    After fitting: history_ (a dict per epoch), precision_ and backend_ as resolved: backends in the
    order in which stages took them, e.g. "dense, sparse"; only dense products are ever rounded.
    """

    _: KW_ONLY
    recipe: str = "paper"
    batch_size: int | None = None
    learning_rate: float | None = None
    cosine_decay: bool | None = None
    dropout: float | None = None
    length_exponent: float | None = None
    weight_averaging: float | None = None
    epsilon: float = 1e-7
    relu_cap: float | None = None
    max_outputs: int | None = None
    repeat_negatives: bool = False
    precision: str = "float32"
    backend: str = "auto"
    device: str = "auto"
    seed: int = 0
    callbacks: Sequence[Callback] = ()
    progress: bool = True

    def check_parameters(self) -> None:
        """See Recommender."""
        check_recipe(self.recipe)
        TrainingOptions.of(self)
        resolve_device(self.device)
        if not isinstance(self.callbacks, Sequence):
            raise ConfigError(f"callbacks are a list, got {plainly(self.callbacks)}")
        for one in self.callbacks:
            if not isinstance(one, Callback):
                raise ConfigError(f"each of callbacks is a Callback, got {plainly(one)}")

    def fit(self, X: csr_matrix, item_ids: Iterable | None = None) -> "GradientRecommender":
        """See Recommender. Raises TrainingError where a GPU is too small, with the bytes."""
        with shortage_named(resolve_device(self.device)):
            return super().fit(X, item_ids)

    def _begin(self, X: csr_matrix, item_ids: Iterable | None) -> csr_matrix:
        """See Recommender."""
        check_process()
        return super()._begin(X, item_ids)

    def _filled(self, X: csr_matrix, width: int) -> "GradientRecommender":
        """This model, not fitted, with nothing left out; see `recipes.fill` for `width`."""
        parameters = fill(self.get_params(deep=False), X, width)
        self.resolved_ = {name: v for name, v in parameters.items() if name not in NOT_RESOLVED}
        return clone(self).set_params(**parameters)

    def _keep(self, trained: Trained) -> None:
        """Keep trained rows (items × width), the history, and how its epochs were computed."""
        history = self.history_ = trained.history
        self._keep_rows(trained.rows, trained.input_scales)
        backends = list(dict.fromkeys(entry["backend"] for entry in history))
        self.backend_ = ", ".join(backends)
        dense = any("dense" in backend for backend in backends)
        self.precision_ = self.precision if dense else "float32"
