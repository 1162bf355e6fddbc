"""What training needs besides the data and the stages, checked once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from celsa_lib.errors import ConfigError, check_count, check_positive

NUMBERS = {
    "batch_size": int,
    "seed": int,
    "max_outputs": int,
    "learning_rate": float,
    "epsilon": float,
    "relu_cap": float,
}
ENGINES = ("auto", "sparse", "dense", "reference")


@dataclass(frozen=True)
class Stage:
    """`epochs` epochs with `nnz` nonzeros a row; `moving`: the support is chosen anew each step."""

    nnz: int
    epochs: int
    moving: bool = False


@dataclass(frozen=True)
class TrainingOptions:
    """Options of every model trained by gradient; validated on construction.

    epsilon: NAdam's ε. The loss is a mean over users × items, so gradients are about 1e-7 and ε
    damps them: it is part of the method (Keras' default 1e-7, not torch's 1e-8).
    max_outputs: score a batch on the items it has seen and a random rest, this many in all; None
    scores all items. repeat_negatives: draw that rest with replacement, as the released code does
    (not by the loops of engine "sparse"). engine: "auto" takes k-sparse kernels on a CPU up to a
    density (nnz / width) of `dense_above` (None: where they cross on such a CPU, see
    `density_of_dense`), dense products above it and on a GPU; "reference" is the formula by
    autograd.
    bfloat16: dense products of bfloat16 factors, sums in float32; None: on a CPU that has
    instructions for them (see the page "Training cost"). checkpoint: a file from which a killed
    run goes on. validate: called with the ItemEmbeddings after each epoch; its number goes to the
    history.
    """

    batch_size: int = 1024
    learning_rate: float = 0.1
    epsilon: float = 1e-7
    seed: int = 0
    device: str = "auto"
    relu_cap: float | None = None
    max_outputs: int | None = None
    repeat_negatives: bool = False
    engine: str = "auto"
    dense_above: float | None = None
    bfloat16: bool | None = None
    checkpoint: str | Path | None = None
    validate: Callable | None = None
    progress: bool = True

    def __post_init__(self):
        check_count(batch_size=self.batch_size)
        check_count(0, seed=self.seed)
        check_positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        if self.relu_cap is not None:
            check_positive(relu_cap=self.relu_cap)
        if self.max_outputs is not None:
            check_count(max_outputs=self.max_outputs)
        for name, kind in NUMBERS.items():  # NumPy's are welcome, but no JSON of a checkpoint
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else kind(value))
        if self.engine not in ENGINES:
            raise ConfigError(f'unknown engine "{self.engine}"; choose one of {", ".join(ENGINES)}')
        if self.engine == "sparse" and self.device not in ("auto", "cpu"):
            raise ConfigError(f'engine "sparse" runs on the CPU, not on device "{self.device}"')
        if self.engine == "sparse" and self.repeat_negatives:
            raise ConfigError('engine "sparse" scores an item once; choose engine "dense"')
        density = 0 if self.dense_above is None else self.dense_above
        if not isinstance(density, (int, float)) or not 0 <= density <= 1:
            raise ConfigError(f"dense_above is a density from 0 to 1, got {self.dense_above!r}")
