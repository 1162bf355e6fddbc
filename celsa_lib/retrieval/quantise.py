"""Values in a few bits and scales in a byte or two: what packed rows are made of.

Levels are ±½, ±1½, … times the scale of the row (0, which no stored value is, is none of them), or
½, 1½, … where no value is below 0. A row's scale is the one with the least squared error, of a
grid around what its largest value asks for.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError

BITS = (3, 4, 8)
TRIED = (1.0, *np.geomspace(0.3, 1.1, 48))  # scales, in parts of what the largest value asks for
COARSEST = 0.04  # step of a scale in one byte, relative: at most 2 % from what it stands for


def check_bits(bits: int) -> None:
    """Raise ConfigError for bits that values cannot be packed in."""
    if type(bits) is not int or bits not in BITS:  # 4.0 is in them, and True is no number
        choices = ", ".join(map(str, BITS))
        raise ConfigError(f"bits must be one of {choices}, got {bits!r}")


def middle_of(matrix: csr_matrix, bits: int) -> int:
    """The code of the lowest level above 0: half of the codes are below it, or none."""
    return 2 ** (bits - 1) if (matrix.data < 0).any() else 0


def codes_of(values: np.ndarray, scales: np.ndarray, bits: int, middle: int) -> np.ndarray:
    """The code of the level nearest to each value: (code − middle + ½) · scale."""
    whole = np.floor(values / np.maximum(scales, np.finfo(np.float32).tiny))
    return np.clip(whole + middle, 0, 2**bits - 1).astype(np.int64)


def best_scales(matrix: csr_matrix, bits: int, middle: int) -> np.ndarray:
    """Each row's scale (float64) with the least squared error; 0 for a row without values."""
    n_rows = matrix.shape[0]
    rows = np.repeat(np.arange(n_rows), np.diff(matrix.indptr))
    values = matrix.data.astype(np.float64)
    largest = np.zeros(n_rows)
    np.maximum.at(largest, rows, np.abs(values))
    largest /= 2**bits - middle - 0.5
    best, least = largest.copy(), np.full(n_rows, np.inf)
    for part in TRIED:
        scales = (part * largest)[rows]
        found = (codes_of(values, scales, bits, middle) - middle + 0.5) * scales
        error = np.bincount(rows, (found - values) ** 2, n_rows)
        better = error < least
        best[better], least[better] = part * largest[better], error[better]
    return best


class ScaleTable(NamedTuple):
    """Evenly spaced in the logarithm: 0 and `steps` numbers from low to high.

    signed: the same below 0 too. Without steps it is the one number low, or with low None nothing.
    """

    low: float | None
    high: float | None
    steps: int
    signed: bool

    @property
    def values(self) -> np.ndarray:
        """The numbers that codes stand for, ascending, float32."""
        if not self.steps:
            return np.array([] if self.low is None else [self.low], np.float32)
        sizes = np.geomspace(self.low, self.high, self.steps)
        below = -sizes[::-1] if self.signed else []
        return np.concatenate([below, [0.0], sizes]).astype(np.float32)


def coded_scales(
    numbers: np.ndarray | None, n_rows: int, precise: bool
) -> tuple[np.ndarray, ScaleTable]:
    """(codes, table) of a number per row, codes of a byte or two: 0 bits if all are the same.

    A byte has to do where its steps are small enough, unless `precise`. None: an empty table.
    """
    if numbers is None or n_rows == 0:
        return np.zeros(n_rows, np.int64), ScaleTable(None, None, 0, False)
    if np.all(numbers == numbers[0]):
        return np.zeros(n_rows, np.int64), ScaleTable(*2 * [float(numbers[0])], 0, False)
    sizes, signed = np.abs(numbers[numbers != 0]).astype(np.float64), bool((numbers < 0).any())
    low, high = float(sizes.min()), float(sizes.max())
    steps = 127 if signed else 255
    if precise or np.log(high / low) > COARSEST * (steps - 1):
        steps = 2**15 - 1 if signed else 2**16 - 1
    table = ScaleTable(low, high, steps, signed)
    borders = (table.values[1:] + table.values[:-1]) / 2
    return np.searchsorted(borders, numbers), table
