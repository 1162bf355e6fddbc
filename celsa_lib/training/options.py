"""What training needs besides the data and the stages, checked once."""

from dataclasses import dataclass, fields

from celsa_lib.errors import ConfigError, check_count, check_positive

NUMBERS = {
    "batch_size": int,
    "seed": int,
    "max_outputs": int,
    "learning_rate": float,
    "epsilon": float,
    "relu_cap": float,
}
BACKENDS = ("auto", "sparse", "dense", "reference")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Stage:
    """`epochs` epochs at `nnz` nonzeros per row; `dynamic`: the support is chosen at every step."""

    nnz: int
    epochs: int
    dynamic: bool = False


@dataclass(frozen=True)
class TrainingOptions:
    """Options of every model trained by gradient; validated on construction.

    epsilon: NAdam's ε. The loss is a mean over users × items, so gradients are about 1e-7 and ε
    damps them: it is part of the method (Keras' default 1e-7, not torch's 1e-8).
    relu_cap: bounds the prediction from above while training (the released code: 6).
    max_outputs: score a batch on the items it has seen and a random rest, this many in all; None
    scores all items. repeat_negatives: draw that rest with replacement, as the released code does
    (not by the loops of backend "sparse").
    precision: "bfloat16" rounds the factors of dense products, sums stay in float32. Whatever the
    processor, nothing else changes the precision.
    backend: "auto" takes k-sparse kernels on a CPU where rows are sparse (page "Training cost"),
    dense products for denser rows and on a GPU; "reference" is the formula by autograd.
    """

    batch_size: int = 1024
    learning_rate: float = 0.1
    epsilon: float = 1e-7
    relu_cap: float | None = None
    max_outputs: int | None = None
    repeat_negatives: bool = False
    precision: str = "float32"
    backend: str = "auto"
    device: str = "auto"
    seed: int = 0
    progress: bool = True

    @classmethod
    def of(cls, model) -> "TrainingOptions":
        """The options among the parameters of `model`. Raises ConfigError."""
        return cls(**{field.name: getattr(model, field.name) for field in fields(cls)})

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
        for name, known in (("precision", PRECISIONS), ("backend", BACKENDS)):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f'unknown {name} "{getattr(self, name)}"; choose one of {", ".join(known)}'
                )
        if self.backend == "sparse" and self.device not in ("auto", "cpu"):
            raise ConfigError(f'backend "sparse" runs on the CPU, not on device "{self.device}"')
        if self.backend == "sparse" and self.repeat_negatives:
            raise ConfigError('backend "sparse" scores an item once; choose backend "dense"')
