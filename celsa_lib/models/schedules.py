"""Pruning schedules {k_t} (Section 3, Figure 1): pure functions of (width, nnz, epochs).

Every schedule ends exactly at `nnz`, with `epochs` epochs there.
"""

from dataclasses import replace

from celsa_lib.errors import ConfigError, check_count
from celsa_lib.training import Stage
from celsa_lib.training.options import MOST_EPOCHS


def levels(width: int, nnz: int) -> list[int]:
    """The ladder of the paper: dense, then nnz·2ʲ from at most width/4 down to nnz.

    levels(4096, 16) = [4096, 1024, 512, 256, 128, 64, 32, 16].
    """
    ladder = [nnz]
    while ladder[-1] * 2 <= width // 4:
        ladder.append(ladder[-1] * 2)
    return [width, *reversed(ladder)] if nnz < width else [width]


def constant(width: int, nnz: int, epochs: int) -> list[Stage]:
    """k_t = nnz from the start, the support chosen anew at every step, unless it is all."""
    return [Stage(nnz, epochs, dynamic=nnz < width)]


def stepwise(width: int, nnz: int, epochs: int) -> list[Stage]:
    """`epochs` epochs at every level of the ladder."""
    return [Stage(k, epochs) for k in levels(width, nnz)]


def linear(width: int, nnz: int, epochs: int) -> list[Stage]:
    """One epoch per stage, k falling by an equal step from width to nnz, then `epochs` at nnz."""
    steps = (len(levels(width, nnz)) - 1) * epochs
    falling = [Stage(width - (width - nnz) * t // steps, 1) for t in range(steps)]
    return [*falling, Stage(nnz, epochs)]


def exponential(width: int, nnz: int, epochs: int) -> list[Stage]:
    """One epoch dense, then one at ⌊width·2^−(i/epochs + 1)⌋, i = 1, 2, …, then `epochs` at nnz.

    k halves every `epochs` epochs; the first prune drops straight to about width/2.
    """
    stages = [Stage(width, 1)] if nnz < width else []
    i = 1
    while (k := int(width * 2.0 ** -(i / epochs + 1))) > nnz:
        stages.append(Stage(k, 1))
        i += 1
    return [*stages, Stage(nnz, epochs)]


SCHEDULES = {
    "constant": constant,
    "linear": linear,
    "exponential": exponential,
    "step-wise": stepwise,
}


def make_schedule(name: str, width: int, nnz: int, epochs: int) -> list[Stage]:
    """The stages of the schedule `name`.

    Raises ConfigError for an unknown name, epochs < 1, or nnz outside 1 … width.
    """
    if name not in SCHEDULES:
        raise ConfigError(f'unknown schedule "{name}"; choose one of {", ".join(SCHEDULES)}')
    check_count(width=width, nnz=nnz)
    check_count(most=MOST_EPOCHS, epochs=epochs)
    if nnz > width:
        raise ConfigError(f"nnz must be between 1 and the width {width}, got {nnz}")
    return _distinct(SCHEDULES[name](int(width), int(nnz), int(epochs)))


def _distinct(stages: list[Stage]) -> list[Stage]:
    """Stages in a row with the same k as one.

    The paper restarts "after each pruning step", and between equal k nothing is pruned.
    """
    merged = [stages[0]]
    for stage in stages[1:]:
        if stage.nnz == merged[-1].nnz:
            merged[-1] = replace(stage, epochs=merged[-1].epochs + stage.epochs)
        else:
            merged.append(stage)
    return merged
