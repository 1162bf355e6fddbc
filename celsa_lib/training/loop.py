"""The one training loop: nodes of a plan, epochs of batches, a prune before each stage."""

from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix
from tqdm import tqdm

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import TrainingError
from celsa_lib.files import remove_leftovers
from celsa_lib.training import checkpoint
from celsa_lib.training.batches import shuffled_batches
from celsa_lib.training.checkpoint import Progress
from celsa_lib.training.device import density_of_dense, multiplies_bfloat16, resolve_device
from celsa_lib.training.gradients import AutogradGradient, DenseGradient, Memory, SparseGradient
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.objective import top_k_columns, unit_rows
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.plan import make_plan
from celsa_lib.training.row_kernels import unit_backward, unit_rows_into
from celsa_lib.training.rows import Rows, full_rows, initial_embeddings


def train_embeddings(
    X: csr_matrix, width: int, stages: list[Stage], restart: bool, options: TrainingOptions
) -> tuple[csr_matrix, list[dict]]:
    """`train_paths` for a single list of stages: (unit sparse rows, history)."""
    return train_paths(X, width, [stages], restart, options)[0]


def train_paths(
    X: csr_matrix,
    width: int,
    paths: list[list[Stage]],
    restart: bool,
    options: TrainingOptions,
) -> list[tuple[csr_matrix, list[dict]]]:
    """Train A on X (users × items) through each list of stages: (unit rows, history) of each.

    Before a stage the `nnz` largest |values| of each row survive; with `restart` they go back to
    their initial values (Section 3). Pruned entries get no gradient, so they stay zero. Stages
    that paths have in common are trained once; the result is, bit for bit, that of separate runs.
    The history has one entry an epoch: nnz, mean loss, active (latents used by at least one item),
    and `validation` where asked. Raises TrainingError if the loss is not finite, StorageError for
    a checkpoint of another run.
    """
    return _Run(X, width, paths, restart, options).finish()


class _Run:
    """One call of `train_paths`: what stays the same, and where it stands."""

    def __init__(self, X, width, paths, restart, options):
        self.X, self.width, self.options = X, width, options
        self.device = resolve_device("cpu" if options.engine == "sparse" else options.device)
        self.plan, self.memory = make_plan(paths), Memory(self.device)
        start = initial_embeddings(X.shape[1], width, options.seed).to(self.device)
        self.initial = start if restart else None
        self.at_end: dict[int, Rows] = {-1: full_rows(start)}
        self.finished: dict[int, csr_matrix] = {}
        self.progress = Progress(histories=[[] for _ in self.plan.nodes])
        self.mark = ""
        if options.checkpoint is not None:
            remove_leftovers(options.checkpoint)  # of a run that was killed while it wrote
            self.mark = checkpoint.fingerprint(X, width, paths, restart, options)
            stored = checkpoint.load(options.checkpoint, self.mark)
            if stored is not None:
                self.progress = stored
                self.at_end, self.finished = self._unpack(stored.arrays)

    def finish(self) -> list[tuple[csr_matrix, list[dict]]]:
        """Train what is left; the result of each path."""
        done = self.progress
        with tqdm(
            total=sum(self._cost(node.stage) * node.stage.epochs for node in self.plan.nodes),
            disable=not self.options.progress,
            leave=False,
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
        ) as bar:
            for node, history in zip(self.plan.nodes, done.histories, strict=True):
                bar.update(self._cost(node.stage) * len(history))
            while done.node < len(self.plan.nodes):
                self._train_node(bar)
        if self.options.checkpoint is not None:
            Path(self.options.checkpoint).unlink(missing_ok=True)
        return [(self.finished[end], self._history(end)) for end in self.plan.ends]

    def _train_node(self, bar: tqdm) -> None:
        """The epochs of the present node that are left; then on to the next node."""
        done = self.progress
        node = self.plan.nodes[done.node]
        rows, optimiser = self._start(node)
        trainer = StageTrainer(rows, optimiser, node.stage, self.options, self.memory)
        for epoch in range(done.epochs, node.stage.epochs):
            number = node.epoch + epoch
            loss = trainer.epoch(self.X, np.random.default_rng([self.options.seed, number]))
            self._record(trainer, loss, number)
            done.epochs = epoch + 1
            bar.set_postfix({k: f"{v:.4g}" for k, v in done.histories[done.node][-1].items()})
            bar.update(self._cost(node.stage))
            if done.epochs < node.stage.epochs:
                self._save(rows, optimiser)
        self._leave_node(trainer)

    def _record(self, trainer: "StageTrainer", loss: float, number: int) -> None:
        """Add epoch `number` to the history. Raises TrainingError if `loss` is not finite."""
        nnz, result = trainer.stage.nnz, trainer.result()
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} at nnz {nnz}, epoch {number + 1}; lower learning_rate "
                f"(now {self.options.learning_rate})"
            )
        entry = {"nnz": nnz, "loss": loss, "active": result.active()}
        if self.options.validate is not None:
            entry["validation"] = float(self.options.validate(ItemEmbeddings(result.to_csr())))
        self.progress.histories[self.progress.node].append(entry)

    def _start(self, node) -> tuple[Rows, Nadam]:
        """Rows and optimiser of a node: as stored, or pruned from where its parent ended."""
        done = self.progress
        if done.epochs:
            rows = self._rows(done.arrays, "now")
            m, v = (torch.from_numpy(done.arrays[name]).to(self.device) for name in ("m", "v"))
            return rows, Nadam(m, v, **done.optimiser)
        before = self.at_end[node.parent]
        if node.stage.moving or node.stage.nnz == before.nnz:
            rows = Rows(before.values.clone(), before.cols, self.width)
        else:
            rows = before.prune(node.stage.nnz)
        if self.initial is not None and not node.stage.moving:
            rows.values = self.initial.gather(1, rows.cols.long())
        return rows, Nadam.start(rows.values)

    def _leave_node(self, trainer: "StageTrainer") -> None:
        """Keep what later nodes start from and the paths that end here; drop what no one needs."""
        done, result = self.progress, trainer.result()
        if done.node in self.plan.ends:
            self.finished[done.node] = result.to_csr()
        needed = self.plan.needed_after(done.node)
        if done.node in needed:
            self.at_end[done.node] = result
        self.at_end = {n: rows for n, rows in self.at_end.items() if n in needed | {-1}}
        done.node, done.epochs, done.arrays = done.node + 1, 0, {}
        if done.node < len(self.plan.nodes):
            self._save()

    def _save(self, rows: Rows | None = None, optimiser: Nadam | None = None) -> None:
        """Write the checkpoint: a stage under way with `rows` and `optimiser`, or between two."""
        if self.options.checkpoint is None:
            return
        done = self.progress
        arrays = {}
        for n, ended in self.at_end.items():
            if n >= 0:
                arrays |= _packed(f"end {n}", ended)
        for n, matrix in self.finished.items():
            arrays |= {f"done {n} {part}": getattr(matrix, part) for part in CSR_PARTS}
        done.optimiser = {}
        if rows is not None:
            arrays |= _packed("now", rows) | {"m": _array(optimiser.m), "v": _array(optimiser.v)}
            done.optimiser = {"steps": optimiser.steps, "product": optimiser.product}
        now = Progress(done.node, done.epochs, done.histories, done.optimiser, arrays)
        checkpoint.save(self.options.checkpoint, self.mark, now)

    def _unpack(self, arrays: dict) -> tuple[dict[int, Rows], dict[int, csr_matrix]]:
        """(at_end, finished) out of a checkpoint's arrays."""
        numbers = {tuple(name.split()[:2]) for name in arrays if name[:4] in ("end ", "done")}
        ends = {int(n): self._rows(arrays, f"end {n}") for kind, n in numbers if kind == "end"}
        shape = self.X.shape[1], self.width
        finished = {
            int(n): csr_matrix(tuple(arrays[f"done {n} {part}"] for part in CSR_PARTS), shape=shape)
            for kind, n in numbers
            if kind == "done"
        }
        return {-1: self.at_end[-1]} | ends, finished

    def _rows(self, arrays: dict, name: str) -> Rows:
        values = torch.from_numpy(arrays[f"{name} values"]).to(self.device)
        if f"{name} cols" not in arrays:
            return Rows(values, self.at_end[-1].cols, self.width)
        return Rows(values, torch.from_numpy(arrays[f"{name} cols"]).to(self.device), self.width)

    def _history(self, end: int) -> list[dict]:
        return [entry for n in self.plan.path(end) for entry in self.progress.histories[n]]

    def _cost(self, stage: Stage) -> float:
        """An epoch's share of the work: nonzeros a row, up to where dense products take over."""
        return min(stage.nnz, 0.2 * self.width) + 8


CSR_PARTS = ("data", "indices", "indptr")


def _packed(name: str, rows: Rows) -> dict[str, np.ndarray]:
    """Arrays of a checkpoint; the columns of full rows need not be stored."""
    packed = {f"{name} values": _array(rows.values)}
    if rows.nnz < rows.width:
        packed[f"{name} cols"] = _array(rows.cols)
    return packed


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()


class StageTrainer:
    """One stage: steps that change `rows` and `optimiser` in place."""

    def __init__(self, rows: Rows, optimiser: Nadam, stage: Stage, options, memory=None):
        """`options`: TrainingOptions; the engine is chosen here, once a stage.

        `memory`: a Memory that other stages have used.
        """
        self.rows, self.optimiser, self.stage, self.options = rows, optimiser, stage, options
        memory = memory or Memory(rows.values.device)
        self.unit = memory("unit", (len(rows.values), stage.nnz))
        self.gradient = make_gradient(self.result(), options, memory)

    def result(self) -> Rows:
        """The rows with the stage's support: fixed, or their present top `nnz`."""
        return self.rows.prune(self.stage.nnz) if self.stage.moving else self.rows

    def epoch(self, X: csr_matrix, rng: np.random.Generator) -> float:
        """One pass over the users of X; the mean loss of its batches."""
        options, device = self.options, self.rows.values.device
        outputs = options.max_outputs, options.repeat_negatives
        batches = shuffled_batches(X, options.batch_size, rng, device, *outputs)
        return float(np.mean([self.step(batch) for batch in batches]))

    def step(self, batch) -> float:
        """One step of NAdam on a UserBatch; its mean loss."""
        if self.stage.moving:
            return self._moving_step(batch)
        values = self.rows.values
        loss, gradient = self._gradient_of(values, batch)
        self._update(gradient)
        return loss

    def _moving_step(self, batch) -> float:
        """Constant pruning: the top `nnz` of all values, chosen anew; the rest get no gradient."""
        values = self.rows.values
        cols = top_k_columns(values, self.stage.nnz)
        kept = values.gather(1, cols)
        self.gradient.set_columns(cols.int())
        loss, gradient = self._gradient_of(kept, batch)
        self._update(torch.zeros_like(values).scatter_(1, cols, gradient))
        return loss

    def _gradient_of(self, values: torch.Tensor, batch) -> tuple[float, torch.Tensor]:
        """(loss, gradient of `values` through their unit rows); the next call overwrites it."""
        if values.device.type == "cpu":
            unit_rows_into(values.numpy(), self.unit.numpy())
        else:
            self.unit.copy_(unit_rows(values))
        loss, gradient = self.gradient(self.unit, batch)
        _through_unit_rows(values, gradient)
        return loss, gradient

    def _update(self, gradient: torch.Tensor) -> None:
        options = self.options
        self.optimiser.step(self.rows.values, gradient, options.learning_rate, options.epsilon)


def make_gradient(rows: Rows, options: TrainingOptions, memory: Memory | None = None):
    """The engine of a stage, by `options.engine` and the density of the rows."""
    engine, bfloat16, limit = options.engine, options.bfloat16, options.dense_above
    if bfloat16 is None:
        bfloat16 = multiplies_bfloat16(rows.values.device)
    if limit is None:
        limit = density_of_dense(bfloat16)
    if engine == "auto":
        loops = rows.values.device.type == "cpu" and not options.repeat_negatives
        engine = "sparse" if loops and rows.nnz <= limit * rows.width else "dense"
    if engine == "sparse":
        n_outputs = min(len(rows.values), options.max_outputs or len(rows.values))
        return SparseGradient(rows.cols, rows.width, n_outputs, options.relu_cap)
    if engine == "dense":
        return DenseGradient(rows.cols, rows.width, options.relu_cap, bfloat16, memory)
    return AutogradGradient(rows.cols, rows.width, options.relu_cap)


def _through_unit_rows(values: torch.Tensor, gradient: torch.Tensor) -> None:
    """Turn the gradient of the unit rows into that of `values`, in place."""
    if values.device.type == "cpu":
        unit_backward(values.numpy(), gradient.numpy())
        return
    norm = values.norm(dim=1, keepdim=True).clamp_min(1e-12)
    along = (values * gradient).sum(dim=1, keepdim=True) / norm**2
    gradient.addcmul_(values, along, value=-1).div_(norm)
