"""What an experiment is: frozen, validated, to and from JSON."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from itertools import product

from celsa_lib.errors import ConfigError
from celsa_lib.models.recipes import numbers_of
from celsa_lib.models.registry import by_name
from celsa_lib.typed import checked


@dataclass(frozen=True)
class MethodConfig:
    """A model class by `name`, its `params`, and a `grid` (name → values) to choose from.

    `n_seeds`: how many of the experiment's seeds it is trained with, None for all.
    "Released" stands for embeddings that come with the data and are not trained.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    name: str
    params: dict = field(default_factory=dict)
    grid: dict = field(default_factory=dict)
    n_seeds: int | None = None

    def __post_init__(self):
        by_name(self.name)
        if self.n_seeds is not None and self.n_seeds < 1:
            raise ConfigError(f"n_seeds of {self.name} must be 1 or more, got {self.n_seeds}")
        for name, values in self.grid.items():
            if isinstance(values, str) or not len(values):
                raise ConfigError(f'grid of "{name}" must be a list of values, got {values!r}')
        both = sorted(set(self.params) & set(self.grid))
        if both:
            raise ConfigError(f"{both} are both fixed and in the grid of {self.name}; keep one")

    def candidates(self) -> list["MethodConfig"]:
        """The method with every combination of the grid's values (itself without a grid)."""
        combinations = product(*self.grid.values())
        choices = [dict(zip(self.grid, values, strict=True)) for values in combinations]
        return [MethodConfig(self.name, self.params | choice) for choice in choices]

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one candidate."""
        return len(self.candidates()) > 1


@dataclass(frozen=True)
class ExperimentConfig:
    """Everything that decides an experiment's numbers; `seeds` are those of training.

    `test_users` is "split" (drawn from the data) or the name of a separate set of users. With
    `test_from`, a moment as text, what is learned is from before it and what is found from then
    on (`split_by_time`). Equal methods are one: a budget may be as large as a dense model.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    dataset: str
    methods: tuple[MethodConfig, ...]
    n_test: int
    n_val: int = 0
    data_params: dict = field(default_factory=dict)
    test_users: str = "split"
    split_seed: int = 42
    n_folds: int = 5
    fraction: float = 0.2
    fold_method: str = "disjoint"
    fold_seed: int = 0
    seeds: tuple[int, ...] = (0,)
    profile: str = "laptop"
    test_from: str | None = None

    def __post_init__(self):
        methods = list(self.methods)
        different = [m for i, m in enumerate(methods) if m not in methods[:i]]
        object.__setattr__(self, "methods", tuple(different))
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if not self.methods or not self.seeds:
            raise ConfigError("an experiment needs at least one method and one seed")
        if not all(isinstance(seed, int) for seed in self.seeds):
            raise ConfigError(f"seeds must be whole numbers, got {list(self.seeds)}")
        if self.n_test < 1 or self.n_val < 0 or self.n_folds < 1:
            raise ConfigError(
                f"n_test and n_folds must be 1 or more and n_val 0 or more, got {self.n_test}, "
                f"{self.n_folds} and {self.n_val}"
            )
        tuned = [method.name for method in self.methods if method.has_choice]
        if tuned and not self.n_val:
            raise ConfigError(f"{tuned[0]} has a grid, so n_val must be above 0")

    def to_json(self) -> str:
        """Stable JSON: keys sorted. Without an n_seeds or test_from of None, as in files that had
        none yet.
        """
        values = asdict(self)
        if values["test_from"] is None:
            del values["test_from"]
        for method in values["methods"]:
            if method["n_seeds"] is None:
                del method["n_seeds"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ExperimentConfig":
        """Read `to_json`'s text. Raises ConfigError for unknown or missing keys."""
        try:
            return checked(cls, json.loads(text))
        except json.JSONDecodeError as error:
            raise ConfigError(f"this is not an experiment's configuration: {error}") from error

    def row_hash(self, method: MethodConfig, seed: int, checksum: str) -> str:
        """Sixteen hex digits that change with anything that decides one row's numbers.

        `method`: one of the candidates, as it was chosen.
        """
        method = replace(method, n_seeds=None)
        alone = replace(self, methods=(method,), seeds=(seed,), profile="")
        decides = alone.to_json() + checksum
        if filled := numbers_of(method.params):
            decides += json.dumps(filled, sort_keys=True)
        return hashlib.sha256(decides.encode()).hexdigest()[:16]


def at_budgets(name: str, budgets: tuple[int, ...], grid: dict | None = None, **params):
    """The method `name` at each budget in bytes per item, as the registry counts them."""
    method = by_name(name, compressed=True)
    return tuple(MethodConfig(name, params | method.at(b), grid or {}) for b in budgets)
