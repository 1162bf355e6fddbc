"""Grids that go on where a choice stands at an end, so that what lies beyond is tried."""

from collections.abc import Callable
from dataclasses import replace

from celsa_lib.experiments.config import MethodConfig

WIDENED = ("reg", "learning_rate", "sae_learning_rate")  # above 0, chosen by their ratio
DIGITS = 3  # of a value that is added


def widened(
    method: MethodConfig, value_of: Callable[[MethodConfig], float | None]
) -> MethodConfig | None:
    """`method` with one value more in each grid whose end is the best choice so far.

    `value_of` gives the validation result of a candidate. None where no choice is at an end.
    """
    best = max(method.candidates(), key=value_of)
    grid = {name: _beyond(name, values, best.params[name]) for name, values in method.grid.items()}
    return None if grid == dict(method.grid) else replace(method, grid=grid)


def reachable(method: MethodConfig, steps: int) -> MethodConfig:
    """`method` with all values that `steps` widenings can add."""
    grid = {}
    for name, values in method.grid.items():
        for _ in range(steps):
            values = _beyond(name, _beyond(name, values, min(values)), max(values))
        grid[name] = values
    return replace(method, grid=grid)


def _beyond(name: str, values: tuple, chosen: float) -> tuple:
    """`values` and, if `chosen` is the lowest or highest, the next one: as far as the last step."""
    ordered = sorted(values) if name in WIDENED else []
    if len(ordered) < 2:
        return values
    for end, before in ((ordered[0], ordered[1]), (ordered[-1], ordered[-2])):
        if chosen == end:
            return (*values, float(f"{end * end / before:.{DIGITS}g}"))
    return values
