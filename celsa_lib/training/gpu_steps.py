"""What steps on a GPU share: batches cut there, and a step that is one graph of kernels."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels import gpu
from celsa_lib.training.batches import drawn_outputs, most_interactions, users_of_epoch
from celsa_lib.training.dropout import seeds_of
from celsa_lib.training.memory import are_sampled, lanes_of, longest_window, users_of_part
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import TrainingOptions
from celsa_lib.training.rows import Rows

EAGER = 2  # steps before a graph is recorded: kernels are compiled in them


class Epochs:
    """X on the GPU, and what the kernels need of the steps of a window of an epoch.

    step: the position in the window, on the GPU. order: users by step and lane, −1 where a batch
    is filled up. table: `gpu.N_SCALARS` scalars per step. seen_lanes: who of a batch has seen an
    item, those of item i in step t from seen_starts[t·items + i] on; interactions: which entries of
    X these are. seeds: what decides which are dropped. times: how often an item counts among the
    outputs of a step, steps × items, where these are sampled; n_outputs: how many there are.

    Where the memory is short, a batch is worked off in `parts`: each is a step to the kernels, with
    the rates and seed of its batch, and rows are updated after the last.
    """

    def __init__(
        self,
        X: csr_matrix,
        options: TrainingOptions,
        device: torch.device,
        window: int | None = None,
        parts: int = 1,
    ):
        """`window`: steps whose batches are cut at once; None: as many as are quick to sort."""
        self.X, self.device, self.batch_size = X, device, options.batch_size
        self.n_items, self.parts = X.shape[1], parts
        self.of_part, self.lanes = (f(X, options, parts) for f in (users_of_part, lanes_of))
        self.n_steps = options.steps_per_epoch(X)
        self.window = window or longest_window(X, options)
        made = self.window * parts
        new = lambda *shape: torch.zeros(shape, dtype=torch.int32, device=device)  # noqa: E731
        self.indptr = torch.from_numpy(X.indptr.astype(np.int32)).to(device)
        self.items = torch.from_numpy(X.indices.astype(np.int32)).to(device)
        self.step, self.order = new(1), new(made * self.lanes)
        self.seeds = torch.zeros(made, dtype=torch.uint32, device=device)
        self.table = torch.zeros(made, gpu.N_SCALARS.value, device=device)
        self.max_outputs, self.repeat = options.max_outputs, options.repeat_negatives
        self.sampled = are_sampled(X, options)
        self.times = new(made * self.n_items if self.sampled else 1)
        self.seen_starts = new(made * self.n_items + 1)
        self.length_exponent = options.length_exponent
        most = most_interactions(X, self.length_exponent, self.window * self.batch_size)
        self.seen_lanes, self.interactions = new(most), new(most)

    def windows(self, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Cut one epoch: (first step, steps) of each window, ready on the GPU when it is given."""
        users = users_of_epoch(self.X, self.length_exponent, rng)
        for first in range(0, self.n_steps, self.window):
            part = users[first * self.batch_size : (first + self.window) * self.batch_size]
            steps = -(-len(part) // self.batch_size)
            self._cut(part, steps)
            self.sizes = np.diff([*range(0, len(part), self.batch_size), len(part)])
            self.n_outputs = self._sample(part, steps, rng) if self.sampled else self.n_items
            yield first, steps

    def _sample(self, users: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the outputs of each batch of `users`, as a CPU's batches do; how many each has."""
        n_outputs = np.empty(steps, np.int64)
        for t in range(steps):
            part = users[t * self.batch_size : (t + 1) * self.batch_size]
            outputs = drawn_outputs(self.X, part, self.max_outputs, self.repeat, rng)
            times = np.bincount(outputs, minlength=self.n_items).astype(np.int32)
            self.times.view(-1, self.parts, self.n_items)[t].copy_(torch.from_numpy(times))
            n_outputs[t] = len(outputs)
        return n_outputs

    def _cut(self, users: np.ndarray, steps: int) -> None:
        """Put the batches of `users` in place."""
        batch, within = np.divmod(np.arange(len(users)), self.batch_size)
        part, lane = np.divmod(within, self.of_part)
        slots = (batch * self.parts + part) * self.lanes + lane
        filled = np.full(len(self.order), -1, np.int32)
        filled[slots] = users
        self.order.copy_(torch.from_numpy(filled))
        self.step.zero_()
        lengths = np.diff(self.X.indptr)[users]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        to = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(self.device)  # noqa: E731
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
        every = torch.arange(steps * self.parts * self.n_items + 1, device=self.device)
        self.seen_starts[: len(every)] = torch.searchsorted(key, every).int()


class GpuTrainer:
    """Trains `rows` with `optimiser` on a fixed support; all on the GPU, see StageTrainer."""

    name: str

    def __init__(self, rows: Rows, optimiser: Nadam, options: TrainingOptions, epochs: Epochs):
        self.rows, self.optimiser, self.options, self.epochs = rows, optimiser, options, epochs
        self.taken = rows.mean  # the mean, which is the rows' once a step has counted
        if options.weight_averaging and rows.mean is None:
            self.taken = torch.zeros_like(rows.values)
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
        with torch.cuda.device_of(self.losses):  # Triton and graphs take the current device
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
        if rates[:, 1].any():
            self.rows.mean = self.taken
        table = np.zeros((len(rates), gpu.N_SCALARS.value))
        table[:, gpu.SCALE.value] = 1.0 / (self.epochs.sizes * self.epochs.n_outputs)
        for row, (learning_rate, of_mean) in zip(table, rates, strict=True):
            scalars = self.optimiser.scalars(learning_rate)
            row[gpu.BIAS2.value : gpu.OF_MOMENTUM.value + 1] = scalars
            row[gpu.RATE_OF_MEAN.value] = of_mean
        table[:, gpu.EPSILON.value] = self.options.epsilon
        table = np.repeat(table, self.epochs.parts, axis=0)
        self.epochs.table[: len(table)] = torch.from_numpy(table.astype(np.float32))
        seeds = seeds_of(self.options.seed, self.optimiser.steps - len(rates), len(rates))
        seeds = np.repeat(seeds, self.epochs.parts)
        self.epochs.seeds[: len(seeds)] = torch.from_numpy(seeds)

    def _step(self) -> None:
        parts = self.epochs.parts
        for part in range(parts):
            self._kernels(first=part == 0, last=part == parts - 1)
            self.loss += self.losses.sum()
            self.epochs.step += 1

    def _kernels(self, first: bool, last: bool) -> None:
        """The gradient of a part of a batch, its `first` or `last`; after the last, the update."""
        raise NotImplementedError
