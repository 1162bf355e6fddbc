"""What training needs besides the data and the stages, checked once."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import (
    ConfigError,
    check_count,
    check_not_negative,
    check_positive,
    check_seed,
    check_share,
)

NUMBERS = {
    "batch_size": int,
    "seed": int,
    "max_outputs": int,
    "learning_rate": float,
    "dropout": float,
    "length_exponent": float,
    "weight_averaging": float,
    "regrowth": float,
    "epsilon": float,
    "relu_cap": float,
}
MOST_EPOCHS = 100_000  # of a stage: no training has a use for more
BACKENDS = ("auto", "sparse", "dense", "triton", "reference", "sharded")
ON_CPU = ("sparse", "sharded")  # loops over nonzeros, compiled for it
PRECISIONS = ("float32", "tf32", "bfloat16")
# How anchored rows begin (`training.anchored`).
NEIGHBOURS, SHRINK = 50, 10.0  # of an item; users added to each popularity in the cosine
STRENGTH = 1.5  # value of a latent per partial correlation, beside 1 of the row's own
ALLOTTED_BY = "r_ij/sqrt(P_ii)"  # what the budget of the whole matrix goes by
REGROWN_UNTIL = 0.75  # of a stage: what grows late would not be learned any more


@dataclass(frozen=True)
class Stage:
    """`epochs` epochs at `nnz` nonzeros per row; `dynamic`: the support is chosen at every step.

    straight_through: of a dynamic one; entries outside the support get the gradient that they would
    have inside (Bengio, Léonard and Courville 2013), so they may grow into it.
    """

    nnz: int
    epochs: int
    dynamic: bool = False
    straight_through: bool = False


@dataclass(frozen=True)
class TrainingOptions:
    """Options of every model trained by gradient; validated on construction.

    epsilon: NAdam's ε. The loss is a mean over users × items, so gradients are about 1e-7 and ε
    damps them: it is part of the method (Keras' default 1e-7, not torch's 1e-8).
    relu_cap: bounds the prediction from above while training (the released code: 6).
    max_outputs: score a batch on the items it has seen and a random rest, this many in all; None
    scores all items. The norm of a prediction then has of what a user has not seen only the share
    that is drawn: the loss is too low. repeat_negatives: draw that rest with replacement, as the
    released code does (not by the loops of backend "sparse").
    dropout: input dropout, the share of the interactions that each step hides from the encoder, at
    random; the target stays the whole history (denoising; Steck 2020).
    length_exponent: an epoch draws users in proportion to (length of the history)^length_exponent,
    see `users_of_epoch`; 0: each once. The loss counts a user as one, whatever the length; with 1
    as many as the squared error of EASE.
    cosine_decay: the learning rate falls to 0 by half a cosine within each stage (Loshchilov and
    Hutter 2017). weight_averaging: the rows become their mean over this last share of a stage's
    steps (Polyak and Juditsky 1992). regrowth: the share of each row's nonzeros, at first, that is
    exchanged by gradient between epochs, see `training.regrowth`; not where the support is chosen
    at every step. scales: learn a scale of each item as output and as input, see
    Rows. non_negative: values are held at 0 or above.
    precision: "bfloat16" rounds the factors of dense products to 8 bits, "tf32" (on a GPU) to 11,
    sums stay in float32. Whatever the processor, nothing else changes the precision.
    backend: "auto" takes k-sparse kernels where rows are sparse (page "Training cost"), dense
    products for denser rows; on a CUDA GPU both are "triton". "reference": autograd's formula.
    "sharded": "sparse" with the items divided among the processes of torch.distributed.
    """

    batch_size: int = 1024
    learning_rate: float = 0.1
    epsilon: float = 1e-7
    relu_cap: float | None = None
    max_outputs: int | None = None
    repeat_negatives: bool = False
    dropout: float = 0.0
    length_exponent: float = 0.0
    cosine_decay: bool = False
    weight_averaging: float = 0.0
    regrowth: float = 0.0
    scales: bool = False
    non_negative: bool = False
    precision: str = "float32"
    backend: str = "auto"
    device: str = "auto"
    seed: int = 0
    progress: bool = True

    @classmethod
    def of(cls, model) -> "TrainingOptions":
        """The options among the parameters of `model` that are not None. Raises ConfigError."""
        of_model = {field.name: getattr(model, field.name, None) for field in fields(cls)}
        return cls(**{name: value for name, value in of_model.items() if value is not None})

    def __post_init__(self):
        check_count(batch_size=self.batch_size)
        check_seed(self.seed)
        check_positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        check_not_negative(length_exponent=self.length_exponent)
        if self.relu_cap is not None:
            check_positive(relu_cap=self.relu_cap)
        if self.max_outputs is not None:
            check_count(max_outputs=self.max_outputs)
        check_share(dropout=self.dropout, weight_averaging=self.weight_averaging)
        check_share(regrowth=self.regrowth)
        for name, kind in NUMBERS.items():  # NumPy's are welcome, but no JSON of a checkpoint
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else kind(value))
        for name, known in (("precision", PRECISIONS), ("backend", BACKENDS)):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f'unknown {name} "{getattr(self, name)}"; choose one of {", ".join(known)}'
                )
        if self.backend in ON_CPU and self.device not in ("auto", "cpu"):
            raise ConfigError(
                f'backend "{self.backend}" runs on the CPU, not on device "{self.device}"'
            )
        if self.backend in ON_CPU and self.repeat_negatives:
            raise ConfigError(
                f'backend "{self.backend}" scores an item once; choose backend "dense"'
            )

    def steps_per_epoch(self, X: csr_matrix) -> int:
        """Batches of an epoch: of as many users as have a history in X."""
        return -(-int(np.count_nonzero(np.diff(X.indptr))) // self.batch_size)

    def exchanged(self, epoch: int, epochs: int) -> float:
        """The share of each row's nonzeros that is exchanged before epoch `epoch` of a stage.

        It falls to 0 by half a cosine, and ends before a mean of the rows begins; the first epoch
        (0) has nothing to go by.
        """
        end = min(REGROWN_UNTIL, 1 - self.weight_averaging) * epochs
        return self.regrowth * (1 + np.cos(np.pi * epoch / end)) / 2 if 0 < epoch < end else 0.0

    def rates(self, steps: int) -> np.ndarray:
        """Learning rate and weight of the mean for each step of a stage, steps × 2.

        A weight r makes the mean m + r·(values − m): 1/n at the n-th step that it is taken over.
        """
        rates = np.zeros((steps, 2))
        rates[:, 0] = self.learning_rate
        if self.cosine_decay:
            rates[:, 0] *= (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
        averaged = round(self.weight_averaging * steps)
        rates[steps - averaged :, 1] = 1.0 / np.arange(1, averaged + 1)
        return rates
