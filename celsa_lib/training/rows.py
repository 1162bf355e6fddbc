"""The rows of A while they are trained: values at columns, and what a prune makes of them."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.training.objective import top_k_columns, unit_rows


@dataclass
class Rows:
    """values: items × nnz; cols: items × nnz, int32, ascending; out of `width` columns."""

    values: torch.Tensor
    cols: torch.Tensor
    width: int

    @property
    def nnz(self) -> int:
        """Nonzeros per row."""
        return self.values.shape[1]

    def prune(self, nnz: int) -> "Rows":
        """The `nnz` largest |values| of each row."""
        kept = top_k_columns(self.values, nnz)
        return Rows(self.values.gather(1, kept), self.cols.gather(1, kept), self.width)

    def restarted(self, initial: "Rows") -> "Rows":
        """These places with the values that they have in the full rows `initial`."""
        return Rows(initial.values.gather(1, self.cols.long()), self.cols, self.width)

    def copy(self) -> "Rows":
        """The same with values of its own."""
        return Rows(self.values.clone(), self.cols, self.width)

    def to_csr(self) -> csr_matrix:
        """Unit rows, items × width, on the CPU."""
        values, cols = unit_rows(self.values).cpu().numpy(), self.cols.cpu().numpy()
        indptr = np.arange(len(values) + 1) * self.nnz
        return csr_matrix((values.ravel(), cols.ravel(), indptr), shape=(len(values), self.width))

    def active(self) -> int:
        """Latents that at least one item uses."""
        if self.nnz == self.width:
            return self.width
        return int((torch.bincount(self.cols.flatten()) > 0).sum())


def initial_embeddings(n_items: int, width: int, seed: int) -> torch.Tensor:
    """Xavier-uniform start, items × width; drawn on the CPU so that every device starts alike."""
    bound = (6.0 / (n_items + width)) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(n_items, width).uniform_(-bound, bound, generator=generator)


def full_rows(values: torch.Tensor) -> Rows:
    """Rows with a value in every column: `values`, items × width."""
    n_items, width = values.shape
    cols = torch.arange(width, dtype=torch.int32, device=values.device).expand(n_items, width)
    return Rows(values, cols, width)
