"""Compressed ELSA: sparse rows learned during training (Section 2)."""

from collections.abc import Iterable, Sequence

from scipy.sparse import csr_matrix
from sklearn.base import clone

from celsa_lib.errors import ConfigError
from celsa_lib.models.gradient import GradientRecommender
from celsa_lib.models.schedules import make_schedule
from celsa_lib.training import Callback, Run, Stage, Trained, TrainingOptions


def train(
    X: csr_matrix,
    width: int,
    paths: list[list[Stage]],
    restart: bool,
    options: TrainingOptions,
    callbacks: Sequence[Callback] = (),
) -> list[Trained]:
    """(unit rows of A, history) for each of `paths`, lists of stages; X is users × items.

    Pruned entries get no gradient, so they stay zero. A dynamic stage prunes nothing for good: its
    steps choose the support anew. Stages that paths have in common are trained once. Raises
    ConfigError for a stage with more nonzeros than the one before, and CelsaError as `Run` does.
    """
    run = Run(X, width, paths, restart, options, callbacks)
    for stage in run.stages():
        if stage.nnz < run.rows.nnz and not stage.dynamic:
            run.rows = run.rows.prune(stage.nnz)  # A_s = S_k(A): equation (3)
            if restart:
                run.rows = run.rows.restarted(run.initial)  # survivors' first values: Section 3
        for batch in run.batches():
            run.step(batch)  # of NAdam, down the loss of equation (2)
    return run.results()


class CompressedELSA(GradientRecommender):
    """min_A L(X, X(Ā_s Ā_sᵀ − I)), Ā_s the renormalised top-k rows of A: equations (2) and (3).

    A is items × width; k falls from width to `nnz` by `schedule` ("constant", "linear",
    "exponential", "step-wise"), with `epochs` epochs at the end. With `restart` the survivors of a
    prune go back to their initial values. Size: 8·nnz bytes per item.
    """

    name = "Compressed ELSA"

    def __init__(
        self,
        width: int = 4096,
        nnz: int = 16,
        schedule: str = "exponential",
        restart: bool = True,
        epochs: int = 10,
        *,
        batch_size: int = 1024,
        learning_rate: float = 0.1,
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
        """Parameters after `epochs`: see TrainingOptions. Raises ConfigError."""
        self.width = width
        self.nnz = nnz
        self.schedule = schedule
        self.restart = restart
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
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
        _ = self.stages

    @property
    def stages(self) -> list[Stage]:
        """The schedule as a list of stages. Raises ConfigError."""
        return make_schedule(self.schedule, self.width, self.nnz, self.epochs)

    def fit_budgets(
        self, X: csr_matrix, budgets: Iterable[int], item_ids: Iterable | None = None
    ) -> dict[int, "CompressedELSA"]:
        """A fitted copy of this model for each nnz of `budgets`: the bits of separate fits.

        Stages that the schedules have in common are trained once: all of an exponential or
        step-wise path down to the smallest budget. Raises CelsaError as `fit` does.
        """
        models = {nnz: clone(self).set_params(nnz=nnz) for nnz in budgets}
        if not models:
            raise ConfigError("budgets is empty; name at least one number of nonzeros per row")
        for model in models.values():
            checked = model._begin(X, item_ids)
        trained = self._train(checked, list(models.values()))
        for model, (rows, history) in zip(models.values(), trained, strict=True):
            model._keep(rows, history)
            model.n_items_ = len(model.item_ids_)
        return models

    def _fit(self, X: csr_matrix) -> None:
        self._keep(*self._train(X, [self])[0])

    def _train(self, X: csr_matrix, models: list["CompressedELSA"]) -> list[Trained]:
        paths = [model.stages for model in models]
        options = TrainingOptions.of(self)
        return train(X, int(self.width), paths, self.restart, options, self.callbacks)
