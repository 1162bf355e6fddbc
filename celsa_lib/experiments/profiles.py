"""How big a run is: `smoke` for tests, `laptop` by default, `paper` at the paper's scale."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from celsa_lib.data import dataset_info
from celsa_lib.errors import ConfigError
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig, at_budgets
from celsa_lib.models.registry import METHODS, RECOMMENDED_RECIPE, Method
from celsa_lib.results import BUDGETS

GOODBOOKS = "goodbooks-10k-partial"

# What a method may choose from on validation users: four values for what is trained by gradient
# (five for Table 1, where small sizes chose the lowest), eight pairs for the autoencoder on top of
# it. EASE has seven (`regs`), as they cost little. Baselines beside Table 1's: see the registry.
LEARNING_RATES = {"learning_rate": (0.03, 0.1, 0.3, 1.0)}
WIDER_RATES = {"learning_rate": (0.01, 0.03, 0.1, 0.3, 1.0)}
SAE_LEARNING_RATES = {"learning_rate": (0.1, 0.3), "sae_learning_rate": (0.01, 0.03, 0.1, 0.3)}
REGS = (12.5, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0)

PRECISION = "float32"  # of every study, on every machine
SMALLEST = 32  # bytes per item, below what the paper reports


@dataclass(frozen=True)
class Settings:
    """Sizes for one dataset in one profile; `budgets` in bytes per item.

    `pruning_epochs` is the E of the pruning schedule where it is not `epochs`: its number of
    epochs grows with log2(width / nnz), so it decides how long Compressed ELSA trains.
    `ablation_width` and `ablation_epochs` scale the ablations down. `dense_seeds`: how many of the
    seeds regularised wide rows are trained with, where that takes minutes; None for all.
    """

    n_test: int
    n_val: int
    width: int = 1024
    dense_width: int = 1024
    epochs: int = 10
    pruning_epochs: int | None = None
    batch_size: int = 1024
    learning_rate: float = 0.1
    budgets: tuple[int, ...] = BUDGETS
    regs: tuple[float, ...] = REGS
    sae_epochs: int = 100
    sae_learning_rate: float = 1e-3
    code_width: int = 4096
    ablation_width: int | None = None
    ablation_epochs: int | None = None
    data_params: dict = field(default_factory=dict)
    dense_seeds: int | None = None

    def training(self) -> dict:
        """Parameters of every method trained by gradient."""
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "precision": PRECISION,
        }

    def compressed(self) -> dict:
        """Parameters of Compressed ELSA."""
        epochs = self.pruning_epochs or self.epochs
        return self.training() | {"epochs": epochs, "width": self.width}

    def autoencoder(self) -> dict:
        """Parameters of the sparse autoencoder on top of a dense ELSA."""
        return {
            "code_width": self.code_width,
            "sae_epochs": self.sae_epochs,
            "sae_learning_rate": self.sae_learning_rate,
        }

    def with_smallest(self) -> "Settings":
        """With SMALLEST bytes too, where every method of several sizes is compared."""
        return replace(self, budgets=(*self.budgets, SMALLEST))

    def scaled_down(self) -> "Settings":
        """With the width and epochs of ablations, which train Compressed ELSA many times."""
        return replace(
            self,
            width=self.ablation_width or self.width,
            pruning_epochs=self.ablation_epochs or self.pruning_epochs,
        )

    def ablation(self) -> dict:
        """Parameters of Compressed ELSA in ablations."""
        return self.scaled_down().compressed()


# Rows of a batch: 943 users in batches of 1,024 would be one step per epoch, so small sets take 64.
# ml-100k: width, pruning_epochs and the autoencoder's learning rate were compared on validation
# users, a handful of values each; the other methods' epochs were not tuned.
LAPTOP = {
    "ml-100k": Settings(
        150, 150, width=256, dense_width=512, epochs=5, pruning_epochs=2, batch_size=64,
        code_width=1024, sae_learning_rate=1e-2,
    ),
    "ml-1m": Settings(1000, 500, batch_size=256),
    "ml-20m": Settings(10_000, 10_000, width=1024, dense_width=800, epochs=3),
    "goodbooks-10k-partial": Settings(
        2500, 1000, width=4096, pruning_epochs=5, sae_epochs=30, code_width=2048,
        ablation_width=1024, ablation_epochs=2, dense_seeds=1,
    ),
    "goodbooks-10k": Settings(
        2500, 1000, width=4096, pruning_epochs=5, sae_epochs=30, code_width=2048
    ),
    "netflix-prize": Settings(10_000, 5_000, epochs=1),
    "synthetic": Settings(
        500, 250, epochs=5, batch_size=512, budgets=(64,), regs=(100.0, 400.0), sae_epochs=30,
        code_width=1024,
    ),
}  # fmt: skip
SMOKE_SYNTHETIC = {"n_users": 400, "n_items": 200, "n_segments": 12}
SMOKE = {
    name: replace(
        settings, n_test=50, n_val=25, width=64, dense_width=64, epochs=1, pruning_epochs=None,
        batch_size=128,
        budgets=(128, 64), regs=(100.0,), sae_epochs=2, code_width=64,
        data_params=SMOKE_SYNTHETIC if name == "synthetic" else {},
    )
    for name, settings in LAPTOP.items()
}  # fmt: skip
PAPER = {
    "ml-100k": replace(LAPTOP["ml-100k"], width=512, epochs=10, pruning_epochs=None),
    "ml-1m": Settings(1000, 500, width=4096),
    "ml-20m": Settings(10_000, 10_000, width=4096, dense_width=800),
    "goodbooks-10k": Settings(2500, 2500, width=4096, dense_width=3250),
    "goodbooks-10k-partial": Settings(2500, 1000, width=4096, dense_width=3250),
    "netflix-prize": Settings(40_000, 40_000, width=4096, dense_width=2450),
    "synthetic": replace(LAPTOP["synthetic"], epochs=10, budgets=BUDGETS, regs=REGS),
}
PROFILES = {"smoke": SMOKE, "laptop": LAPTOP, "paper": PAPER}


def settings_for(profile: str, dataset: str, budgets: Sequence[int] = ()) -> Settings:
    """The settings of a dataset in a profile, at other `budgets` (bytes per item) if given.

    Raises ConfigError, naming what there is.
    """
    if profile not in PROFILES:
        raise ConfigError(f'unknown profile "{profile}"; choose one of {", ".join(PROFILES)}')
    if dataset not in PROFILES[profile]:
        raise ConfigError(
            f'profile "{profile}" has no settings for "{dataset}"; it has '
            f"{', '.join(PROFILES[profile])}"
        )
    settings = PROFILES[profile][dataset]
    return replace(settings, budgets=checked_budgets(budgets)) if budgets else settings


def checked_budgets(budgets: Sequence[int]) -> tuple[int, ...]:
    """Budgets, largest first. Raises ConfigError for what no number of nonzeros fills."""
    wrong = [b for b in budgets if not isinstance(b, int) or b < 8 or b % 8]
    if wrong or len(set(budgets)) < len(budgets):
        raise ConfigError(
            f"budgets must be different multiples of 8 bytes per item, got {list(budgets)}"
        )
    return tuple(sorted(budgets, reverse=True))


def methods_for(
    settings: Settings, with_sae: bool = True, tuned: bool = False
) -> tuple[MethodConfig, ...]:
    """Table 1's methods: the uncompressed ones, then each family at every budget.

    EASE always chooses its regularisation; with `tuned` the others choose their learning rate too.
    """
    rates = LEARNING_RATES if tuned else {}
    sae_rates = SAE_LEARNING_RATES if tuned else {}
    regs = {"reg": settings.regs}
    training = without(settings.training(), rates)
    sae = training | {"width": settings.dense_width} | without(settings.autoencoder(), sae_rates)
    compressed = without(settings.compressed(), rates)
    budgets = settings.budgets
    return (
        MethodConfig("Popularity"),
        MethodConfig("EASE", grid=regs),
        MethodConfig("ELSA", {"width": settings.dense_width, **training}, rates),
        *at_budgets("PrunedEASE", budgets, regs),
        *at_budgets("ELSA", budgets, rates, **training),
        *(at_budgets("SparseAutoencoderELSA", budgets, sae_rates, **sae) if with_sae else ()),
        *at_budgets("CompressedELSA", budgets, rates, **compressed),
    )


def recommended_methods(settings: Settings) -> list[MethodConfig]:
    """The recommended setting at every budget, and low-dimensional ELSA with the same
    regularisation. Nothing is chosen: the recipe takes it from the data.
    """
    given, names = RECOMMENDED_RECIPE | {"precision": PRECISION}, ("CompressedELSA", "ELSA")
    return [m for name in names for m in at_budgets(name, settings.budgets, **given)]


def further_baselines(settings: Settings) -> list[MethodConfig]:
    """Baselines beside Table 1's, by the registry: single models, then families at every budget.
    Each chooses from its grid.
    """
    single, families = [], []
    for method in METHODS:
        if method.grid is None:
            continue
        grid = _grid(method, settings)
        given = _given(method, settings)
        n_seeds = settings.dense_seeds if method.trained else None
        if method.name == "SparseAutoencoderELSA":  # takes minutes on every set
            n_seeds = 1
        if method.compressed:
            sizes = at_budgets(method.name, settings.budgets, grid, **given)
            families += [replace(one, n_seeds=n_seeds) for one in sizes]
        else:
            single.append(MethodConfig(method.name, given, grid, n_seeds))
    return single + families


def every_method(settings: Settings) -> list[MethodConfig]:
    """All methods at every budget and SMALLEST bytes, each with what it may choose from."""
    settings = settings.with_smallest()
    tuned = methods_for(settings, tuned=True)
    methods = [replace(m, grid=WIDER_RATES) if m.grid == LEARNING_RATES else m for m in tuned]
    return methods + recommended_methods(settings) + further_baselines(settings)


def _given(method: Method, settings: Settings) -> dict:
    """What sets a method apart; of a dense ELSA, and an autoencoder on top of it, their sizes."""
    dense = {"precision": PRECISION, "width": settings.dense_width} if method.trained else {}
    codes = settings.autoencoder() if method.name == "SparseAutoencoderELSA" else {}
    return {**dense, **codes, **method.fixed}


def _grid(method: Method, settings: Settings) -> dict:
    """A method's grid; of its regularisation those of the settings, unless its scale is another."""
    regs = tuple(reg for reg in method.grid.get("reg", ()) if reg in settings.regs)
    return dict(method.grid) | ({"reg": regs} if regs else {})


def without(params: dict, grid: dict) -> dict:
    """The parameters that a grid does not choose."""
    return {name: value for name, value in params.items() if name not in grid}


def configuration(
    dataset: str, profile: str, methods: Iterable[MethodConfig], seeds: Sequence[int] = (0,)
) -> ExperimentConfig:
    """`methods` on a dataset, with as many users as the profile says. Raises ConfigError."""
    settings = settings_for(profile, dataset)
    return ExperimentConfig(
        dataset=dataset,
        methods=tuple(methods),
        n_test=settings.n_test,
        n_val=settings.n_val,
        data_params=settings.data_params,
        test_users=dataset_info(dataset).own_test_users or "split",
        seeds=seeds,
        profile=profile,
    )


def experiment(
    dataset: str,
    profile: str = "laptop",
    with_sae: bool = True,
    seeds: Sequence[int] = (0,),
    budgets: Sequence[int] = (),
) -> ExperimentConfig:
    """All of Table 1's methods on a dataset, as big as the profile says. Raises ConfigError."""
    methods = methods_for(settings_for(profile, dataset, budgets), with_sae)
    return configuration(dataset, profile, methods, seeds)
