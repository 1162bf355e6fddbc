"""Training on a GPU: batches are cut there, and a step is one graph of kernels without a stop."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import triton
from scipy.sparse import csr_matrix

from celsa_lib.errors import TrainingError
from celsa_lib.kernels import gpu, gpu_dense
from celsa_lib.training.batches import most_interactions, users_of_epoch
from celsa_lib.training.dropout import seeds_of, threshold
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows

WINDOW = 2**26  # steps × items whose batches are sorted at once: 4 bytes each
# Density of rows up to which loops over nonzeros are faster than products: page "Training cost".
DENSITY_OF_DENSE = {"float32": 0.1, "tf32": 0.024, "bfloat16": 0.018}
EAGER = 2  # steps before a graph is recorded: kernels are compiled in them


class Epochs:
    """X on the GPU, and what the kernels need of the steps of a window of an epoch.

    step: the position in the window, on the GPU. order: users by step and lane, −1 where a batch
    is filled up. table: `gpu.N_SCALARS` scalars per step. seen_lanes: who of a batch has seen an
    item, those of item i in step t from seen_starts[t·items + i] on; interactions: which entries of
    X these are. seeds: what decides which are dropped.
    """

    def __init__(self, X: csr_matrix, options: TrainingOptions, device: torch.device):
        self.X, self.device, self.batch_size = X, device, options.batch_size
        self.n_items = X.shape[1]
        n_users = int(np.count_nonzero(np.diff(X.indptr)))
        self.lanes = 32 * -(-min(options.batch_size, n_users) // 32)
        self.n_steps = options.steps_per_epoch(X)
        self.window = min(self.n_steps, max(1, WINDOW // self.n_items))
        new = lambda *shape: torch.zeros(shape, dtype=torch.int32, device=device)  # noqa: E731
        self.indptr = torch.from_numpy(X.indptr.astype(np.int32)).to(device)
        self.items = torch.from_numpy(X.indices.astype(np.int32)).to(device)
        self.step, self.order = new(1), new(self.window * self.lanes)
        self.seeds = torch.zeros(self.window, dtype=torch.uint32, device=device)
        self.table = torch.zeros(self.window, gpu.N_SCALARS.value, device=device)
        self.seen_starts = new(self.window * self.n_items + 1)
        self.length_exponent = options.length_exponent
        most = most_interactions(X, self.length_exponent)
        self.seen_lanes, self.interactions = new(most), new(most)

    def windows(self, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Cut one epoch: (first step, steps) of each window, ready on the GPU when it is given."""
        users = users_of_epoch(self.X, self.length_exponent, rng)
        for first in range(0, self.n_steps, self.window):
            part = users[first * self.batch_size : (first + self.window) * self.batch_size]
            steps = -(-len(part) // self.batch_size)
            self._cut(part, steps)
            self.sizes = np.diff([*range(0, len(part), self.batch_size), len(part)])
            yield first, steps

    def _cut(self, users: np.ndarray, steps: int) -> None:
        """Put the batches of `users` in place."""
        filled = np.full((self.window, self.lanes), -1, np.int32)
        place = np.arange(len(users))
        filled[place // self.batch_size, place % self.batch_size] = users
        self.order.copy_(torch.from_numpy(filled.ravel()))
        self.step.zero_()
        lengths = np.diff(self.X.indptr)[users]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        to = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(self.device)  # noqa: E731
        slots = place // self.batch_size * self.lanes + place % self.batch_size
        which = torch.repeat_interleave(
            to(np.arange(len(users))), to(lengths), output_size=int(starts[-1])
        )
        entry = to(self.X.indptr[users] - starts[:-1])[which]
        entry += torch.arange(len(which), device=self.device)
        slot = to(slots)[which]
        key = slot // self.lanes * self.n_items + self.items[entry]
        key, sorting = torch.sort(key, stable=True)
        self.seen_lanes[: len(which)] = (slot % self.lanes)[sorting].int()
        self.interactions[: len(which)] = entry[sorting].int()
        every = torch.arange(steps * self.n_items + 1, device=self.device)
        self.seen_starts[: len(every)] = torch.searchsorted(key, every).int()


class GpuTrainer:
    """Trains `rows` with `optimiser` on a fixed support; all on the GPU, see StageTrainer."""

    name: str

    def __init__(self, rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs):
        self.rows, self.optimiser, self.options, self.epochs = rows, optimiser, options, epochs
        if options.weight_averaging and rows.mean is None:
            rows.mean = torch.zeros_like(rows.values)
        self.losses = torch.zeros(epochs.lanes, device=epochs.device)
        self.loss = torch.zeros((), dtype=torch.float64, device=epochs.device)
        self.graph, self.made = None, 0

    def result(self) -> Rows:
        """The rows as they are."""
        return self.rows

    def batches(self, rng: np.random.Generator, rates: np.ndarray) -> Iterator[int]:
        """Step after step of an epoch, in batches drawn from `rng`.

        rates: learning rate and weight of the mean for each of its steps, steps × 2.
        """
        for first, steps in self.epochs.windows(rng):
            self._fill_table(rates[first : first + steps])
            yield from range(first, first + steps)

    def step(self, batch: int) -> None:
        """One step of NAdam; nothing waits for it."""
        if self.graph is not None:
            self.graph.replay()
        elif self.made < EAGER or self.epochs.device.type != "cuda":
            self._step()
        else:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._step()
            self.graph.replay()
        self.made += 1

    def mean_loss(self) -> float:
        """Mean loss of the steps since the last call; waits for them."""
        mean = float(self.loss) / max(1, self.epochs.n_steps)
        self.loss.zero_()
        return mean

    def _fill_table(self, rates: np.ndarray) -> None:
        table = np.zeros((len(rates), gpu.N_SCALARS.value))
        table[:, gpu.SCALE.value] = 1.0 / (self.epochs.sizes * self.epochs.n_items)
        for row, (learning_rate, of_mean) in zip(table, rates, strict=True):
            scalars = self.optimiser.scalars(learning_rate)
            row[gpu.BIAS2.value : gpu.OF_MOMENTUM.value + 1] = scalars
            row[gpu.RATE_OF_MEAN.value] = of_mean
        table[:, gpu.EPSILON.value] = self.options.epsilon
        self.epochs.table[: len(table)] = torch.from_numpy(table.astype(np.float32))
        seeds = seeds_of(self.options.seed, self.optimiser.steps - len(rates), len(rates))
        self.epochs.seeds[: len(seeds)] = torch.from_numpy(seeds)

    def _step(self) -> None:
        self._kernels()
        self.loss += self.losses.sum()
        self.epochs.step += 1

    def _kernels(self) -> None:
        raise NotImplementedError


class SparseGpuTrainer(GpuTrainer):
    """The k-sparse step: rows of any length, input dropout, scales."""

    name = "triton-sparse"
    USERS, CHUNK, ITEMS = 256, 8, 16  # of a tile: users, nonzeros; items that a program scores

    def __init__(self, rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs):
        super().__init__(rows, optimiser, options, epochs)
        n_items, lanes, new = epochs.n_items, epochs.lanes, epochs.table.new_zeros
        self.users = min(self.USERS, triton.next_power_of_2(lanes))
        while lanes % self.users:
            self.users //= 2
        self.blocks = lanes // self.users
        self.parts = -(-n_items // self.ITEMS)
        self.values, self.cols, self.starts = rows.flat()
        self.fullest = triton.next_power_of_2(int((self.starts[1:] - self.starts[:-1]).max()))
        self.E, self.D = new(rows.width, lanes), new(rows.width, lanes)
        self.P, self.C = new(n_items, lanes), new(self.blocks, len(self.values))
        self.squares, self.sums = new(self.parts, lanes), new(lanes)
        self.alpha, self.unit = new(lanes), new(len(self.values))
        self.mean = self.values if self.rows.mean is None else self.rows.mean.view(-1)
        self.m, self.v = optimiser.m.view(-1), optimiser.v.view(-1)
        self._by_latent(rows.width)
        self._set_units()
        self.scales = rows.scales if options.scales else new(6, n_items)
        self.outputs, self.inputs = self.scales[0].exp(), self.scales[1].exp()

    def _by_latent(self, width: int) -> None:
        """The nonzeros of each latent, which the way back through the decoder follows."""
        by_column, positions = torch.sort(self.cols, stable=True)
        items = torch.repeat_interleave(
            torch.arange(self.epochs.n_items, device=self.cols.device),
            self.starts.long().diff(), output_size=len(self.cols),
        )  # fmt: skip
        self.positions, self.places = positions.int(), items[positions].int()
        every = torch.arange(width + 1, device=self.cols.device)
        self.col_starts = torch.searchsorted(by_column.long(), every).int()

    def _set_units(self) -> None:
        lengths = self.starts.long().diff()
        item = torch.repeat_interleave(lengths, output_size=len(self.values))
        squares = torch.zeros(len(lengths), device=item.device).index_add_(
            0, item, self.values.square()
        )
        torch.div(self.values, squares.sqrt().clamp_min(1e-12)[item], out=self.unit)

    def _kernels(self) -> None:
        ep, options = self.epochs, self.options
        users, lanes, n_items = (ep.step, ep.order, ep.indptr), ep.lanes, ep.n_items
        below, dropout = threshold(options.dropout), options.dropout > 0
        tile = {"K": min(self.CHUNK, self.fullest), "U": self.users}
        warps = max(1, self.users // 128)
        self.E.zero_()
        gpu.encode[(lanes,)](
            *users, ep.items, ep.seeds, self.starts, self.cols, self.unit, self.inputs, self.E,
            below, lanes, DROPOUT=dropout, N=8, K=min(32, self.fullest), num_warps=4,
        )  # fmt: skip
        gpu.decode[(self.parts, self.blocks)](
            self.starts, self.cols, self.unit, self.outputs, self.E, self.P, self.squares,
            n_items, lanes, ITEMS=self.ITEMS, **tile, num_warps=warps,
        )  # fmt: skip
        torch.sum(self.squares, 0, out=self.sums)
        gpu.score_users[(lanes,)](
            *users, ep.items, ep.seeds, ep.table, self.inputs, self.outputs, self.sums, self.P,
            self.alpha, self.losses, below, lanes, DROPOUT=dropout, N=64, num_warps=2,
        )  # fmt: skip
        gpu.decode_backward[(len(self.E), self.blocks)](
            self.col_starts, self.places, self.positions, self.unit, self.outputs, self.alpha,
            self.E, self.P, self.D, self.C, len(self.values), lanes, **tile, num_warps=warps,
        )  # fmt: skip
        gpu.update_sparse[(n_items,)](
            ep.step, ep.table, self.starts, self.cols, ep.seen_starts, ep.seen_lanes, self.alpha,
            self.C, self.D, self.values, self.m, self.v, self.unit, self.mean, len(self.values),
            n_items, self.blocks, lanes, self.inputs, self.outputs, self.scales, ep.seeds,
            ep.interactions, self.P, below, DROPOUT=dropout, SCALES=options.scales,
            MEAN=self.rows.mean is not None,
            POSITIVE=options.non_negative, N=max(1, min(16, 512 // self.fullest)),
            K=self.fullest, num_warps=1 if self.fullest <= 64 else 4,
        )  # fmt: skip


class DenseGpuTrainer(GpuTrainer):
    """Three products with all of A, and kernels for what lies between them.

    Rows that are not full are written out, and their other entries get no gradient.
    """

    name = "triton-dense"

    def __init__(self, rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs):
        super().__init__(rows, optimiser, options, epochs)
        n_items, width, new = epochs.n_items, rows.width, epochs.table.new_zeros
        self.full = rows.nnz == width
        parts = rows.values, optimiser.m, optimiser.v
        self.A, self.m, self.v = parts if self.full else map(self._written_out, parts)
        kept = torch.ones_like(rows.values, dtype=bool)
        self.mask = None if self.full else self._written_out(kept)
        self.mean = rows.mean
        if self.mean is not None and not self.full:
            self.mean = self._written_out(self.mean)
        self.E, self.P = new(epochs.lanes, width), new(epochs.lanes, n_items)
        self.inverse_norms = 1.0 / self.A.norm(dim=1).clamp_min(1e-12)
        self.low = options.precision == "bfloat16"
        self.rounded = self.A.bfloat16() if self.low else self.A

    def result(self) -> Rows:
        """The rows as they are."""
        if not self.full:
            kept = self.rows.cols.long()
            into = self.rows.values, self.optimiser.m, self.optimiser.v, self.rows.mean
            for values, written_out in zip(into, (self.A, self.m, self.v, self.mean), strict=True):
                if values is not None:
                    torch.gather(written_out, 1, kept, out=values)
        return self.rows

    def _written_out(self, values: torch.Tensor) -> torch.Tensor:
        """Values (items × nnz) as items × width."""
        empty = values.new_zeros(len(values), self.rows.width)
        return empty.scatter_(1, self.rows.cols.long(), values)

    def _kernels(self) -> None:
        ep, width, options = self.epochs, self.rows.width, self.options
        users, lanes, n_items = (ep.step, ep.order, ep.indptr), ep.lanes, ep.n_items
        below, dropout = threshold(options.dropout), options.dropout > 0
        block = min(1024, triton.next_power_of_2(width))
        gpu_dense.encode_rows[(lanes, -(-width // block))](
            *users, ep.items, ep.seeds, self.A, self.inverse_norms, self.E, below, width, lanes,
            DROPOUT=dropout, N=4, K=block, num_warps=4,
        )  # fmt: skip
        with _products(options.precision):
            E = self.E.bfloat16() if self.low else self.E
            self._product(E, self.rounded.T, self.P)
            gpu_dense.score_rows[(lanes,)](
                *users, ep.items, ep.seeds, ep.table, self.inverse_norms, self.P, self.losses,
                below, n_items, lanes, DROPOUT=dropout, N=64, K=2048, num_warps=8,
            )  # fmt: skip
            P = self.P.bfloat16() if self.low else self.P
            D = self._product(P, self.rounded)
            G = self._product(P.T, E)
        gpu_dense.update_dense[(n_items,)](
            ep.step, ep.table, ep.seeds, ep.seen_starts, ep.seen_lanes, ep.interactions, D, G,
            self.A, self.m, self.v, self.A if self.full else self.mask,
            self.A if self.mean is None else self.mean, self.inverse_norms, self.rounded, below,
            n_items, width, DROPOUT=dropout, MASKED=not self.full, MEAN=self.mean is not None,
            ROUNDED=self.low, K=triton.next_power_of_2(width), num_warps=8 if width > 1024 else 4,
        )  # fmt: skip

    def _product(self, left: torch.Tensor, right: torch.Tensor, out: torch.Tensor | None = None):
        """left · right, sums and result in float32."""
        if not self.low:
            return torch.mm(left, right, out=out)
        if left.device.type == "cuda":
            product = torch.mm(left, right, out_dtype=torch.float32)
        else:
            product = left.float() @ right.float()
        return product if out is None else out.copy_(product)


def gpu_trainer(
    rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs
) -> GpuTrainer:
    """What trains a stage: k-sparse kernels up to the density where products overtake them.

    Raises TrainingError where the GPU's memory is too small.
    """
    few = rows.starts is not None or rows.nnz <= DENSITY_OF_DENSE[options.precision] * rows.width
    chosen = SparseGpuTrainer if few else DenseGpuTrainer
    if epochs.device.type == "cuda":
        check_memory(rows, epochs, few)
    return chosen(rows, optimiser, options, epochs)


def check_memory(rows: Rows, epochs: Epochs, sparse: bool) -> None:
    """Raise TrainingError with the bytes needed where the GPU's free memory is too small."""
    torch.cuda.empty_cache()
    width, lanes, n_items = rows.width, epochs.lanes, epochs.n_items
    of_rows = 5 * rows.values.numel() if sparse else 3 * n_items * width
    needed = 4 * (of_rows + lanes * (2 * width + 2 * n_items))
    free, total = torch.cuda.mem_get_info(epochs.device)
    if needed > free:
        raise TrainingError(
            f"a step of {epochs.batch_size} users needs {needed / 1e9:.1f} GB on the GPU, and "
            f"{free / 1e9:.1f} of its {total / 1e9:.1f} GB are free; lower batch_size or width"
        )


@contextmanager
def _products(precision: str):
    """Products of float32 as TF32 where that is asked for, and only there."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
