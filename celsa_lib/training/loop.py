"""A run of training through stages: epochs of batches, and a state from which it can go on."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from tqdm import tqdm

from celsa_lib.errors import ConfigError, TrainingError
from celsa_lib.training.backends import Memory
from celsa_lib.training.backends.choice import not_triton_because, on_gpu, training_device
from celsa_lib.training.batches import UserBatch
from celsa_lib.training.callbacks import Callback, check_callbacks
from celsa_lib.training.device import device_name, resolve_device
from celsa_lib.training.memory import Cut, Sizes, check_fits, cut_that_fits
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.plan import Node, make_plan
from celsa_lib.training.regrowth import exchange
from celsa_lib.training.rows import Rows, full_rows, initial_embeddings
from celsa_lib.training.shard import Shard
from celsa_lib.training.stage import StageTrainer
from celsa_lib.training.state import (
    arrays_of_result,
    arrays_of_rows,
    require_state,
    result_of_arrays,
    rows_of_arrays,
)

log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """rows: items × width, of unit norm, or of norm s_i with scales; history: an entry per epoch;
    input_scales: w_i of each item, None without scales. items: whose rows these are, all in process
    0, which has all, and in a training of one process.
    """

    rows: csr_matrix
    history: list[dict]
    input_scales: np.ndarray | None
    items: slice


class Run:
    """Training of A on X (users × items) through each of `paths`, lists of stages, as the loop

        for stage in run.stages():
            … run.rows, pruned …
            for batch in run.batches():
                run.step(batch)

    Stages that paths have in common are trained once, and `results` are, bit for bit, those of
    separate runs. shard: the items whose rows are here, all unless backend "sharded" divides them;
    whatever is said of rows is said of theirs. node, epochs: the stage under way and how many of
    its epochs are done. rows, optimiser: its own. initial: A at the start, random full rows or
    `start`. at_end: rows at the end of stages that others follow, −1 for the start. finished:
    (rows, input scales) of paths that have ended. histories: a list per stage. `restart` is kept
    for whoever prunes.
    """

    def __init__(
        self,
        X: csr_matrix,
        width: int,
        paths: list[list[Stage]],
        restart: bool,
        options: TrainingOptions,
        callbacks: Sequence[Callback] = (),
        start: Rows | None = None,
    ):
        self.X, self.width, self.restart = X, width, restart
        self.options, self.callbacks = options, callbacks
        self.device = training_device(options, start is not None and start.starts is not None)
        if options.precision == "tf32" and self.device.type != "cuda":
            raise ConfigError(
                f'precision "tf32" needs a CUDA GPU, this is {self.device}; choose "float32"'
            )
        self.plan, self.memory = make_plan(paths), Memory(self.device)
        self.shard = shard = Shard.of(X, options)
        check_callbacks(callbacks, shard)
        if start is None:
            check_fits(shard.n_items, self.device, width=width)
            drawn = X.shape[1], width, options.seed, shard.first, shard.last
            values = initial_embeddings(*drawn)
            start = full_rows(values.to(self.device))
        self.initial = start
        self.node, self.epochs = 0, 0
        self.rows: Rows | None = None
        self.optimiser: Nadam | None = None
        self.at_end: dict[int, Rows] = {-1: self.initial}
        self.finished: dict[int, tuple[csr_matrix, np.ndarray | None]] = {}
        self.trainer, self.epochs_on_gpu = None, None
        self.histories: list[list[dict]] = [[] for _ in self.plan.nodes]

    def stages(self) -> Iterator[Stage]:
        """The stages that are left, parents first; `rows` are what each begins with.

        Rows that were restored in the middle of a stage have its nnz already. Raises what callbacks
        raise.
        """
        self._notify("begin", self)
        where = device_name(self.device)
        log.info("training on %s, %s%s", where, self.options.precision, self._by())
        self.cut = self._cut()
        with tqdm(
            total=sum(self._cost(node.stage) * node.stage.epochs for node in self.plan.nodes),
            initial=self._cost_so_far(),
            disable=not (self.options.progress and self.shard.leads),
            leave=False,
            desc=f"{where}, {self.options.precision}",
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
        ) as self.bar:
            while self.node < len(self.plan.nodes):
                node = self.plan.nodes[self.node]
                if self.rows is None:
                    self.rows = self.at_end[node.parent]
                yield node.stage
                self._leave()
                if self.node < len(self.plan.nodes):
                    self._notify("pause", self)
        self._notify("end", self)

    def batches(self) -> Iterator[UserBatch]:
        """The batches of each epoch that is left of the stage, in a random order.

        Raises TrainingError if the loss of an epoch is not finite.
        """
        node, options = self.plan.nodes[self.node], self.options
        if self.rows is self.at_end[node.parent]:  # nothing was pruned: others may start here too
            self.rows = self.rows.copy()
        if self.optimiser is None:
            self.optimiser = Nadam.start(self.rows.values)
        self.trainer = self._trainer(node.stage)
        steps = options.steps_per_epoch(self.X)
        rates = options.rates(steps * node.stage.epochs).reshape(node.stage.epochs, steps, 2)
        while self.epochs < node.stage.epochs:
            share = options.exchanged(self.epochs, node.stage.epochs)
            if share and not node.stage.dynamic:
                self._exchange(share, node)
            rng = np.random.default_rng([options.seed, node.epoch + self.epochs])
            yield from self.trainer.batches(rng, rates[self.epochs])
            self._end_epoch(node.stage, node.epoch + self.epochs)

    def step(self, batch: UserBatch | int) -> None:
        """One step of NAdam on a batch."""
        self.trainer.step(batch)

    def _trainer(self, stage: Stage):
        """What makes the steps of a stage: kernels on a GPU, or else a backend."""
        if not on_gpu(self.options, self.device):
            shared = self.options, self.X, self.memory, self.cut.parts, self.shard
            return StageTrainer(self.rows, self.optimiser, stage, *shared)
        from celsa_lib.training.gpu import Epochs, gpu_trainer  # needs Triton

        if self.epochs_on_gpu is None:
            self.epochs_on_gpu = Epochs(self.X, self.options, self.device, *self.cut)
        return gpu_trainer(self.rows, self.optimiser, stage, self.options, self.epochs_on_gpu)

    def _exchange(self, share: float, node: Node) -> None:
        """Exchange a share of each row's nonzeros by gradient; what makes the steps begins anew."""
        rng = np.random.default_rng([self.options.seed, node.epoch + self.epochs, 1])
        rows = self.trainer.result()
        given = self.optimiser, share, self.X, self.options, rng, self.shard
        self.rows = exchange(rows, *given)
        if self.rows is not rows:
            self.trainer = None  # its memory is for the next
            self.trainer = self._trainer(node.stage)

    def _by(self) -> str:
        """What makes the steps on a GPU, or why none is used where one is there; for the log."""
        there = resolve_device(self.options.device)
        reason = not_triton_because(self.options, there)
        if not reason:
            return ", by Triton kernels"
        if self.device != there:
            return f", not on the GPU: {reason}"
        return "" if there.type == "cpu" else f", by torch: {reason}"

    def _cut(self) -> Cut:
        """How batches are cut. Raises TrainingError for a GPU that is too small."""
        ragged = self.initial.starts is not None
        nonzeros = len(self.initial.values) if ragged else None
        triton = on_gpu(self.options, self.device)
        sizes = Sizes(self.X, self.width, self.options, triton, nonzeros)
        held = [rows for n, rows in self.at_end.items() if n >= 0]
        tensors = [part for rows in held for part in (rows.values, rows.cols)]
        if self.optimiser is not None:  # in the middle of a stage
            tensors += [self.rows.values, self.rows.cols, self.optimiser.m, self.optimiser.v]
        return cut_that_fits(self.plan, self.node, sizes, self.device, tensors)

    def results(self) -> list[Trained]:
        """What each path has come to.

        Per epoch the history has nnz, mean loss, active (latents used by at least one item),
        backend and what callbacks add.
        """
        return [self._result(end) for end in self.plan.ends]

    def _result(self, end: int) -> Trained:
        """What the path that ends with node `end` has come to: all of it in process 0."""
        (rows, scales), items = self.finished[end], slice(self.shard.first, self.shard.last)
        whole = self.shard.whole(arrays_of_result("rows", rows, scales))
        if whole is not None:
            (rows, scales), items = result_of_arrays("rows", whole, self.width), slice(None)
        path = self.plan.path(end)
        history = [entry for node in path for entry in self.histories[node]]
        return Trained(rows, history, scales, items)

    def _end_epoch(self, stage: Stage, number: int) -> None:
        """Note epoch `number`. Raises TrainingError unless its loss is finite."""
        loss, result = self.trainer.mean_loss(), self.trainer.result()
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} at nnz {stage.nnz}, epoch {number + 1}; lower "
                f"learning_rate (now {self.options.learning_rate})"
            )
        active = int(np.count_nonzero(self.shard.anywhere(result.used())))
        entry = {"nnz": stage.nnz, "loss": loss, "active": active}
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in entry.items()})
        self.bar.update(self._cost(stage))
        entry["backend"] = self.trainer.name
        self._notify("epoch", entry, result.averaged())
        self.histories[self.node].append(entry)
        self.epochs += 1
        if self.epochs < stage.epochs:
            self._notify("pause", self)

    def _leave(self) -> None:
        """Keep what later stages start from and the paths that end here; drop what no one needs."""
        result = self.trainer.result()
        if self.node in self.plan.ends:
            self.finished[self.node] = result.averaged().to_csr(), result.input_scales()
        needed = self.plan.needed_after(self.node)
        if self.node in needed:
            self.at_end[self.node] = result
        self.at_end = {n: rows for n, rows in self.at_end.items() if n in needed | {-1}}
        self.node, self.epochs, self.rows, self.optimiser = self.node + 1, 0, None, None
        self.trainer = None  # its memory is for the next

    def _notify(self, event: str, *about) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*about)

    def _cost(self, stage: Stage) -> float:
        """An epoch's share of the work: nonzeros per row, up to where dense products take over."""
        return min(stage.nnz, 0.2 * self.width) + 8

    def _cost_so_far(self) -> float:
        """The share of the epochs that are done."""
        done = zip(self.plan.nodes, self.histories, strict=True)
        return sum(self._cost(node.stage) * len(history) for node, history in done)

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """(plain values, arrays) from which `restore` goes on to the same bits."""
        plain = {"node": self.node, "epochs": self.epochs, "histories": self.histories}
        arrays = {}
        for n, rows in self.at_end.items():
            if n >= 0:
                arrays |= arrays_of_rows(f"end {n}", rows)
        for n, result in self.finished.items():
            arrays |= arrays_of_result(f"done {n}", *result)
        if self.rows is not None:
            optimiser = self.optimiser
            plain["optimiser"] = {"steps": optimiser.steps, "product": optimiser.product}
            arrays |= arrays_of_rows("now", self.rows)
            arrays |= {"m": optimiser.m.cpu().numpy(), "v": optimiser.v.cpu().numpy()}
        return plain, arrays

    def restore(self, plain: dict, arrays: dict[str, np.ndarray]) -> None:
        """Stand where `state` was taken, of a run with the same data and parameters.

        Raises ValueError or KeyError for what `state` has not given.
        """
        require_state(plain, self.plan)
        self.node, self.epochs = plain["node"], plain["epochs"]
        self.histories = plain["histories"]
        for kind, n in {tuple(name.split()[:2]) for name in arrays if " " in name}:
            if kind == "end":
                self.at_end[int(n)] = self._unpacked(arrays, f"end {n}")
            elif kind == "done":
                self.finished[int(n)] = result_of_arrays(f"done {n}", arrays, self.width)
                if self.finished[int(n)][0].shape[0] != self.shard.n_items:
                    raise ValueError("a result of another number of items")
        if "optimiser" in plain:
            self.rows = self._unpacked(arrays, "now")
            m, v = (torch.from_numpy(arrays[name]).to(self.device) for name in ("m", "v"))
            kinds = {(part.shape, part.dtype) for part in (m, v, self.rows.values)}
            if len(kinds) > 1:
                raise ValueError("moments of another shape or type than the values")
            self.optimiser = Nadam(m, v, **plain["optimiser"])
        left = self.plan.nodes[self.node :]
        if not {node.parent for node in left if node.parent < self.node} <= self.at_end.keys():
            raise ValueError("rows that later stages start from are missing")
        if not {end for end in self.plan.ends if 0 <= end < self.node} <= self.finished.keys():
            raise ValueError("a path that has ended is missing")

    def _unpacked(self, arrays: dict, name: str) -> Rows:
        initial = self.initial
        others = {"cols": initial.cols, "width": self.width, "mean_nnz": initial.mean_nnz}
        rows = rows_of_arrays(name, arrays, self.device, **others)
        rows.require_valid(self.shard.n_items)
        return rows
