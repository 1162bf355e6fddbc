"""The rows of A while they are trained: values at columns, and what a prune makes of them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels.rows import unit_rows_into
from celsa_lib.training.dropout import STRIDE, mixed
from celsa_lib.training.objective import top_k_columns

ROWS_AT_ONCE = 1024  # drawn and passed over: those of other processes


@dataclass
class Rows:
    """values: items × nnz; cols: items × nnz, int32, ascending; out of `width` columns.

    Ragged rows are stored one after the other, as in CSR: values and cols have one axis, and row i
    is what stands from starts[i] to starts[i + 1]. scales: log s_i and log w_i (of item i as output
    and as input) with the optimiser's m and v of both, 6 × items; None without scales. mean: of the
    values over the last steps, flat; None before there are any. mean_nnz: nonzeros per row where
    these are some of the rows alone, as they are of all.
    """

    values: torch.Tensor
    cols: torch.Tensor
    width: int
    starts: torch.Tensor | None = None
    scales: torch.Tensor | None = None
    mean: torch.Tensor | None = None
    mean_nnz: int | None = None

    @property
    def nnz(self) -> int:
        """Nonzeros per row; their mean, rounded, where rows differ."""
        if self.starts is None:
            return self.values.shape[1]
        return self.mean_nnz or round(len(self.values) / (len(self.starts) - 1))

    def flat(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(values, cols, starts), rows one after the other; the values are these, not a copy."""
        return self.values.view(-1), self.cols.int().reshape(-1), self.row_starts()

    def require_valid(self, n_items: int) -> None:
        """Raise ValueError unless these are rows of `n_items`: the loops read where they point."""
        parts = [self.values, self.cols, self.starts, self.scales, self.mean]
        types = [torch.float32, torch.int32, torch.int32, torch.float32, torch.float32]
        pairs = zip(parts, types, strict=True)
        axes = 2 if self.starts is None else 1
        if not all(p is None or p.dtype == kind for p, kind in pairs) or self.values.ndim != axes:
            raise ValueError("rows of other types than are trained")
        values, cols, starts = self.flat()
        fits = len(starts) == n_items + 1 and starts[0] == 0 and starts[-1] == len(values)
        fits = fits and bool((starts.diff() >= 0).all()) and len(cols) == len(values)
        fits = fits and (not len(cols) or (cols.min() >= 0 and cols.max() < self.width))
        fits = fits and (self.scales is None or self.scales.shape == (6, n_items))
        fits = fits and (self.mean is None or self.mean.shape == self.values.shape)
        if not fits:
            raise ValueError("rows that do not fit together")

    def row_starts(self) -> torch.Tensor:
        """Where each row starts in `flat`, and the last one ends: items + 1, int32."""
        if self.starts is not None:
            return self.starts
        n_items, nnz = self.values.shape
        return torch.arange(n_items + 1, dtype=torch.int32, device=self.values.device) * nnz

    def averaged(self) -> "Rows":
        """The rows with the mean of their values, where one was taken."""
        return self if self.mean is None else replace(self, values=self.mean, mean=None)

    def prune(self, nnz: int) -> "Rows":
        """The `nnz` largest |values| of each row."""
        kept = top_k_columns(self.values, nnz)
        return Rows(self.values.gather(1, kept), self.cols.gather(1, kept), self.width)

    def restarted(self, initial: "Rows") -> "Rows":
        """These places with the values that they have in the full rows `initial`."""
        return Rows(initial.values.gather(1, self.cols.long()), self.cols, self.width)

    def copy(self) -> "Rows":
        """The same with values of its own, and no mean yet."""
        scales = None if self.scales is None else self.scales.clone()
        return replace(self, values=self.values.clone(), scales=scales, mean=None)

    def to_csr(self) -> csr_matrix:
        """Unit rows, items × width, on the CPU; with scales of norm s_i. Zeros are not stored."""
        values, cols, starts = (part.cpu().numpy() for part in self.flat())
        unit = np.empty_like(values)
        unit_rows_into(values, starts, unit)
        matrix = csr_matrix((unit, cols, starts), shape=(len(starts) - 1, self.width), copy=True)
        if self.scales is not None:
            matrix.data *= np.repeat(self.scales[0].exp().cpu().numpy(), np.diff(starts))
        if self.starts is not None:
            matrix.eliminate_zeros()
        return matrix

    def input_scales(self) -> np.ndarray | None:
        """w_i of each item, None without scales."""
        return None if self.scales is None else self.scales[1].exp().cpu().numpy()

    def used(self) -> np.ndarray:
        """Whether an item uses each of the latents, (width,) bool."""
        if self.starts is None and self.nnz == self.width:
            return np.ones(self.width, dtype=bool)
        return (torch.bincount(self.cols.flatten(), minlength=self.width) > 0).cpu().numpy()


def initial_embeddings(
    n_items: int, width: int, seed: int, first: int = 0, last: int | None = None
) -> torch.Tensor:
    """Xavier-uniform start, items × width; drawn on the CPU so that every device starts alike.

    first, last: draw only those items' rows, as they are among all.
    """
    bound = (6.0 / (n_items + width)) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    draw = lambda rows: torch.empty(rows, width).uniform_(-bound, bound, generator=generator)  # noqa: E731
    for passed in range(0, first, ROWS_AT_ONCE):
        draw(min(ROWS_AT_ONCE, first - passed))
    return draw((n_items if last is None else last) - first)


def full_rows(values: torch.Tensor) -> Rows:
    """Rows with a value in every column: `values`, items × width."""
    n_items, width = values.shape
    cols = torch.arange(width, dtype=torch.int32, device=values.device).expand(n_items, width)
    return Rows(values, cols, width)


def hashed_rows(
    n_items: int, width: int, nnz: int, seed: int, first: int = 0, last: int | None = None
) -> Rows:
    """Rows of `nnz` random values at places that a hash draws, of the items first … last − 1.

    Nothing is items × width. `nnz` is at most half of `width`.
    """
    last = n_items if last is None else last
    parts = [
        hashed_columns(np.arange(begin, min(begin + ROWS_AT_ONCE, last)), width, nnz, seed)
        for begin in range(first, last, ROWS_AT_ONCE)
    ]
    values = initial_embeddings(n_items, nnz, seed, first, last)
    return Rows(values, torch.from_numpy(np.concatenate(parts)), width)


def hashed_columns(items: np.ndarray, width: int, nnz: int, seed: int) -> np.ndarray:
    """The first `nnz` distinct ones of the columns that are drawn for each item, ascending: items ×
    nnz, int32.
    """
    marks = mixed(items.astype(np.uint32) ^ mixed(np.array([seed % 2**32], np.uint32)))
    tried, enough = 2 * nnz, False
    while not enough:
        tried *= 2
        draws = np.arange(tried, dtype=np.uint32) * STRIDE
        drawn = mixed(marks[:, None] + draws) % np.uint32(width)
        order = np.argsort(drawn, axis=1, kind="stable")
        ordered = np.take_along_axis(drawn, order, axis=1)
        again = np.zeros(drawn.shape, bool)
        np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
        distinct = np.cumsum(~again, axis=1)
        enough = bool((distinct[:, -1] >= nnz).all())
    kept = drawn[~again & (distinct <= nnz)].reshape(len(items), nnz)
    return np.sort(kept, axis=1).astype(np.int32)
