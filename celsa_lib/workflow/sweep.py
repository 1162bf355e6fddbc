"""What a sweep is: frozen, validated, from TOML or JSON."""

import json
import tomllib
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from celsa_lib.errors import ConfigError, StorageError, check_count, check_positive
from celsa_lib.typed import checked

READERS = {".toml": tomllib.loads, ".json": json.loads}


@dataclass(frozen=True)
class Estimate:
    """`seconds` of a run whose parameters have the values of `when`; of any run without it."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    seconds: float
    when: dict = field(default_factory=dict)

    def __post_init__(self):
        check_positive(seconds=self.seconds)

    def fits(self, parameters: dict) -> bool:
        """Whether it is about a run with these parameters."""
        return all(parameters.get(name) == value for name, value in self.when.items())


@dataclass(frozen=True)
class Sweep:
    """A notebook (path, or name in notebooks/) run with every combination of `grid`'s values.

    `threads` are those of one run. Of the `estimates`, the first that fits a run counts.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    notebook: str
    grid: dict
    threads: int = 1
    estimates: tuple[Estimate, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "estimates", tuple(self.estimates))
        check_count(threads=self.threads)
        if not isinstance(self.notebook, str) or not isinstance(self.grid, dict):
            raise ConfigError("notebook must be a text and grid a table of parameter = [values]")
        for name, values in self.grid.items():
            _check_values(name, values)
        strange = {name for e in self.estimates for name in e.when} - set(self.grid)
        if strange:
            raise ConfigError(
                f"an estimate asks for {', '.join(sorted(strange))}, not in the grid; the grid has "
                f"{', '.join(self.grid)}"
            )

    def combinations(self) -> list[dict]:
        """Parameters of each run, the last one of the grid changing fastest."""
        found = product(*self.grid.values())
        return [dict(zip(self.grid, values, strict=True)) for values in found]

    def expected_seconds(self, parameters: dict) -> float | None:
        """What the first fitting estimate says, None without one."""
        return next((e.seconds for e in self.estimates if e.fits(parameters)), None)


def load_sweep(path: Path) -> Sweep:
    """The sweep in a .toml or .json file. Raises StorageError, or ConfigError naming the file."""
    if path.suffix not in READERS:
        raise ConfigError(f"{path} must end in .toml or .json")
    try:
        return checked(Sweep, READERS[path.suffix](path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StorageError(f"cannot read {path} ({error.strerror}); check the path") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path} is not a sweep: {error}") from error


def _check_values(name: str, values) -> None:
    """Raise ConfigError unless `values` is a list of different values, at least one."""
    if not isinstance(values, (list, tuple)) or not values:
        raise ConfigError(f'grid of "{name}" must be a list of values, got {values!r}')
    if len({json.dumps(value) for value in values}) < len(values):
        raise ConfigError(f'grid of "{name}" has a value twice: {values!r}')
