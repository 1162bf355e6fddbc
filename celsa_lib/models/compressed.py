"""Compressed ELSA: sparse rows learned during training (Section 2)."""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import clone

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError, check_count, check_positive
from celsa_lib.models.base import say_if_short
from celsa_lib.models.gradient import GradientRecommender
from celsa_lib.models.new_items import require_known, with_new_items
from celsa_lib.models.schedules import make_schedule
from celsa_lib.training import Callback, Run, Stage, Trained, TrainingOptions
from celsa_lib.training.anchored import anchored_rows, neighbourhoods, rows_of
from celsa_lib.training.backends.choice import training_device
from celsa_lib.training.device import resolve_device
from celsa_lib.training.memory import shortage_named
from celsa_lib.training.rows import Rows, hashed_rows
from celsa_lib.training.shard import Shard

PAPER_WIDTH = 4096  # of the paper's procedure
SUPPORTS = ("pruned", "moving", "anchored", "hashed")


def train(
    X: csr_matrix,
    width: int,
    paths: list[list[Stage]],
    restart: bool,
    options: TrainingOptions,
    callbacks: Sequence[Callback] = (),
    start: Rows | None = None,
) -> list[Trained]:
    """Rows of A and history for each of `paths`, lists of stages; X is users × items.

    `start`: the rows that training begins with (own ones, where processes share them), None: random
    full ones.

    Pruned entries get no gradient, so they stay zero. A dynamic stage prunes nothing for good: its
    steps choose the support anew. Stages that paths have in common are trained once. Raises
    ConfigError for a stage with more nonzeros than the one before, and CelsaError as `Run` does.
    """
    run = Run(X, width, paths, restart, options, callbacks, start)
    for stage in run.stages():
        if stage.nnz < run.rows.nnz and not stage.dynamic:
            run.rows = run.rows.prune(stage.nnz)  # A_s = S_k(A): equation (3)
            if restart:
                run.rows = run.rows.restarted(run.initial)  # survivors' initial values: Section 3
        for batch in run.batches():
            run.step(batch)  # of NAdam, down the loss of equation (2)
    return run.results()


@dataclass(eq=False, repr=False)
class CompressedELSA(GradientRecommender):
    """min_A L(X, X(Ā_s Ā_sᵀ − I)), Ā_s the renormalised top-k rows of A: equations (2) and (3).

    recipe "paper": A is items × width; k falls from width to `nnz` by `schedule` ("constant",
    "linear", "exponential", "step-wise"), with `epochs` epochs at the end. With `restart` the
    survivors of a prune go back to their initial values. Size: 8·nnz bytes per item. support
    "moving" prunes nothing for good: each step takes the k largest, and the gradient reaches all.
    `regrowth` above 0 exchanges entries between epochs of a fixed support, an anchored one too;
    with the constant schedule as in RigL, whose support is drawn at random (Evci et al. 2020).
    "hashed" has no schedule and no dense beginning: `nnz` places that a hash draws, for `epochs`.

    recipe "recommended": support "anchored", a latent per item, `nnz` nonzeros per row on average
    and at least `floor`, from partial correlations with ridge `reg` among an item and its
    `n_neighbours` closest (as many as there are items: from the whole inverse, of items × items);
    scales, input dropout, long histories drawn more often, cosine decay and weight averaging. It
    has no schedule; nothing but `nnz` need be given.

    Other parameters: see TrainingOptions; None: by recipe and data. Raises ConfigError.
    """

    name = "Compressed ELSA"

    width: int | None = None
    nnz: int = 16
    schedule: str = "exponential"
    restart: bool = True
    epochs: int | None = None
    _: KW_ONLY
    support: str | None = None
    regrowth: float = 0.0
    floor: int | None = None
    reg: float | None = None
    n_neighbours: int | None = None
    scales: bool | None = None
    non_negative: bool | None = None

    def check_parameters(self) -> None:
        """See Recommender."""
        super().check_parameters()
        if self.support not in (None, *SUPPORTS):
            raise ConfigError(
                f'unknown support "{self.support}"; choose one of {", ".join(SUPPORTS)}'
            )
        if self.reg is not None:
            check_positive(reg=self.reg)
        if self.n_neighbours is not None:
            check_count(n_neighbours=self.n_neighbours)
        if self.floor is not None:
            check_count(floor=self.floor)
            if self.floor > self.nnz:
                raise ConfigError(
                    f"floor is {self.floor}: no row has less, so rows cannot have nnz {self.nnz} "
                    f"on average; take a floor of at most {self.nnz}"
                )
        anchored = self.support or ("anchored" if self.recipe == "recommended" else "pruned")
        if self.scales and anchored != "anchored":
            raise ConfigError('scales belong to anchored rows; take support="anchored"')
        if self.regrowth and anchored == "moving":
            raise ConfigError(
                "a moving support is chosen at every step, so nothing of it is exchanged between "
                "epochs; leave regrowth or the moving support out"
            )
        if anchored == "hashed" and self.recipe != "paper":
            raise ConfigError(
                'hashed places belong to the paper\'s procedure; take recipe="paper", or leave '
                "support out"
            )
        constant = anchored == "pruned" and self.schedule == "constant"
        dynamic = anchored == "moving" or (constant and not self.regrowth)
        if self.weight_averaging and dynamic:
            raise ConfigError(
                "the constant schedule and a moving support choose the support at every step, so "
                "the rows have no mean; leave weight_averaging out"
            )
        check_count(nnz=self.nnz)
        if anchored == "anchored" and self.nnz < 2:
            raise ConfigError(
                "nnz is 1: an anchored row of one nonzero is the item's own latent, which says "
                "nothing of others; take at least 2"
            )
        width = max(PAPER_WIDTH, self.nnz) if self.width is None else self.width
        if anchored == "hashed" and 2 * self.nnz > width:
            raise ConfigError(
                f"hashed places are few among many, and nnz {self.nnz} is more than half of width "
                f'{width}; raise width, or take support="pruned"'
            )
        make_schedule(self.schedule, width, self.nnz, 1 if self.epochs is None else self.epochs)

    @property
    def stages(self) -> list[Stage]:
        """The schedule as a list of stages; needs width and epochs. Raises ConfigError."""
        if self.support == "hashed":
            return [Stage(self.nnz, self.epochs)]
        stages = make_schedule(self.schedule, self.width, self.nnz, self.epochs)
        if self.regrowth:
            return [replace(s, dynamic=False) for s in stages]
        if self.support != "moving":
            return stages
        moving = {"dynamic": True, "straight_through": True}
        return [replace(s, **moving) if s.nnz < self.width else s for s in stages]

    def fit(
        self, X: csr_matrix, item_ids: Iterable | None = None, start: ItemEmbeddings | None = None
    ) -> "CompressedELSA":
        """See Recommender. start: anchored rows that training goes on from, of the same items or
        of others: see `with_new_items`; `nnz` and `floor` are then of no known row.
        """
        if start is None:
            return super().fit(X, item_ids)
        X = self._begin(X, item_ids)
        with shortage_named(resolve_device(self.device)):
            self._keep(_train_on(X, self._filled(X, PAPER_WIDTH), start, self.item_ids_))
        self.n_items_ = len(self.item_ids_)
        return self

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
        filled = [model._filled(checked, PAPER_WIDTH) for model in models.values()]
        with shortage_named(resolve_device(self.device)):
            results = _train(checked, filled)
        for model, trained in zip(models.values(), results, strict=True):
            model._keep(trained)
            model.n_items_ = len(model.item_ids_)
        return models

    def _fit(self, X: csr_matrix) -> None:
        self._keep(_train(X, [self._filled(X, PAPER_WIDTH)])[0])


def _train(X: csr_matrix, models: list[CompressedELSA]) -> list[Trained]:
    """Train models that differ in nnz, and what follows from it, alone; nothing is left out."""
    first = models[0]
    if first.support == "anchored":
        return _train_anchored(X, models)
    if first.support == "hashed":
        return _train_hashed(X, models)
    paths = [model.stages for model in models]
    options = TrainingOptions.of(first)
    return train(X, int(first.width), paths, first.restart, options, first.callbacks)


def _train_anchored(X: csr_matrix, models: list[CompressedELSA]) -> list[Trained]:
    """One run per model, from rows anchored at items; those of one λ share their correlations."""
    first = models[0]
    device = training_device(TrainingOptions.of(first), ragged=True)
    if first.width != X.shape[1]:
        raise ConfigError(
            f"anchored rows have a latent per item, {X.shape[1]} here, not {first.width}: leave "
            f"width out"
        )
    shard, trained, near = Shard.of(X, TrainingOptions.of(first)), [], {}
    for model in models:
        rows = None
        if shard.leads:
            if model.reg not in near:
                near = {model.reg: neighbourhoods(X, model.reg, device, first.n_neighbours)}
            rows = anchored_rows(near[model.reg], model.nnz, model.floor, model.scales, device)
            most = f"no more of an item's {model.n_neighbours} closest correlate with it"
            say_if_short(model.name, model.nnz, len(rows.values), X.shape[1], most)
        rows = shard.own_rows(rows)
        stages = [Stage(rows.nnz, int(model.epochs))]
        options = TrainingOptions.of(model)
        trained += train(X, rows.width, [stages], False, options, model.callbacks, rows)
    return trained


def _train_hashed(X: csr_matrix, models: list[CompressedELSA]) -> list[Trained]:
    """One run per model, each process from rows of its own items."""
    trained = []
    for model in models:
        options = TrainingOptions.of(model)
        device, shard = training_device(options, ragged=False), Shard.of(X, options)
        about = X.shape[1], int(model.width), model.nnz, options.seed
        rows = hashed_rows(*about, shard.first, shard.last)
        rows = replace(rows, values=rows.values.to(device), cols=rows.cols.to(device))
        trained += train(X, rows.width, [model.stages], False, options, model.callbacks, rows)
    return trained


def _train_on(
    X: csr_matrix, model: CompressedELSA, start: ItemEmbeddings, item_ids: np.ndarray
) -> Trained:
    """One run from the rows `start`, after those of new items have been added."""
    if model.support != "anchored":
        raise ConfigError(f'support "{model.support}" has no start; take recipe="recommended"')
    if start.input_scales is not None and not model.scales:
        raise ConfigError("the start has scales; leave scales out, or take scales=True")
    require_known(start, item_ids)  # in every process; the first makes the rows of all
    options = TrainingOptions.of(model)
    device, shard = training_device(options, ragged=True), Shard.of(X, options)
    rows = None
    if shard.leads:
        of_new = model.nnz, model.reg, model.n_neighbours, str(device)
        rows = rows_of(with_new_items(start, X, item_ids, *of_new), model.scales, device)
    rows = shard.own_rows(rows)
    stages = [Stage(rows.nnz, int(model.epochs))]
    return train(X, rows.width, [stages], False, options, model.callbacks, rows)[0]
