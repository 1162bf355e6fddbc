"""Accuracy against the bytes that an item takes in a file, not those that Table 1 counts.

Every model is stored in several forms: packed with values of 8, 4 and 3 bits, and dense rows in the
codes of vector databases besides. A model is chosen and fitted once, for all of its forms.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import MappingProxyType

from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.evaluation import evaluate
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.experiments.run import TUNED_ON, rounded, run_task
from celsa_lib.experiments.studies import stored_at, study
from celsa_lib.experiments.task import Task, prepare
from celsa_lib.models import Recommender
from celsa_lib.models.pruned import SparseWeights
from celsa_lib.results import BYTES, PLAIN, Result, load_result, save_result
from celsa_lib.retrieval import csr_bytes_per_item
from celsa_lib.retrieval.dense_codes import CODES, FAISS, OF_FAISS, has_faiss
from celsa_lib.retrieval.quantise import BITS
from celsa_lib.versions import versions

log = logging.getLogger(__name__)

SEEDS = {"ml-100k": (0, 1, 2, 3, 4)}  # of training; one where it takes long
# Of a study's methods: one has no rows, the others were trained on more users.
LEFT_OUT = ("Popularity", "Released")
Form = tuple[object, float]  # what recommends, from what is stored, and its bytes per item


def run_real_bytes(name: str, profile: str = "laptop", out: str | Path | None = None) -> Result:
    """A row for each model of the study `name` and form, with users' nDCG@100; written to `out`
    after every model.

    What `out` has of the same configuration and data is not computed again, and what validation
    users said of the same choice is taken from the stored study. Raises CelsaError.
    """
    config = real_bytes_config(name, profile)
    return run_in_forms(config, *prepare(config), out, _trials_of(name))


def run_in_forms(
    config: ExperimentConfig,
    data: Dataset,
    task: Task,
    out: str | Path | None = None,
    trials: Mapping[str, float] = MappingProxyType({}),
    on_model: Callable[[dict, Recommender], None] = lambda row, model: None,
) -> Result:
    """A row for each model of a configuration and form, written to `out` after every model.

    trials: what validation users said of choices. `on_model` is called with the row of each model
    that was fitted, and the model. Raises CelsaError.
    """
    out = Path(out).expanduser() if out else None
    stored = load_result(out) if out and out.exists() else Result({})
    stored.trials = {**trials, **stored.trials}
    forms = _Forms(task, stored)
    if not has_faiss():
        log.warning("%s is not installed: left out are %s", FAISS, ", ".join(OF_FAISS))
    result = Result({})

    def keep(found: Result) -> None:
        nonlocal result
        result = forms.beside(found)
        if out:
            save_result(result, out)

    def add(row: dict, model: Recommender) -> None:
        forms.add(row, model)
        on_model(row, model)

    run_task(
        config, data, task, forms.of_whole_models(), on_change=keep, checkpoint=out, on_model=add
    )
    return result


def real_bytes_config(name: str, profile: str) -> ExperimentConfig:
    """The study `name` without the methods LEFT_OUT; each is chosen as it is there."""
    config = study(name).config(profile)
    methods = [method for method in config.methods if method.name not in LEFT_OUT]
    return replace(config, methods=methods, seeds=SEEDS.get(name, (0,)))


class _Forms:
    """Rows of models in all their forms: those of `stored` that are whole, and new ones."""

    def __init__(self, task: Task, stored: Result):
        self.task, self.stored = task, stored
        self.users = dict(stored.users)
        self.rows: dict[str, list[dict]] = {}  # by the hash of the model
        for row in stored.intact_rows():
            self.rows.setdefault(row.get("model", row["hash"]), []).append(row)

    def of_whole_models(self) -> Result:
        """What `run_task` need not compute again: models that have all of their forms."""
        whole = [
            next(row for row in rows if row["form"] == PLAIN)
            for rows in self.rows.values()
            if {row["form"] for row in rows} >= forms_expected(rows[0])
        ]
        return Result(self.stored.manifest, whole, self.stored.trials, self.stored.users)

    def add(self, row: dict, model) -> None:
        """Measure a new model in all its forms; `row` is that of `run_task`."""
        row |= {"form": PLAIN, "bytes_per_item": round(plain_bytes(model), 2)}
        self.rows[row["hash"]] = [row]
        with TemporaryDirectory() as folder:
            for name, make in forms_of(model, Path(folder)).items():
                self.rows[row["hash"]].append(self._measured(row, name, make))

    def _measured(self, row: dict, form: str, make: Callable[[], Form]) -> dict:
        """The row of a model in a form; users' values are kept."""
        started = perf_counter()
        stored, size = make()
        made = perf_counter()
        found = evaluate(stored, self.task.folds)
        done = perf_counter()
        known = sha256(f"{row['hash']} {form}".encode()).hexdigest()[:16]
        self.users[known] = found.by_user()[TUNED_ON].to_numpy()
        log.info("  %s, %.1f B: %.4f", form, size, found.mean[TUNED_ON])
        shared = ("method", "label", "budget_bytes", "params", "seed")
        return {name: row[name] for name in shared} | {
            "hash": known,
            "model": row["hash"],
            "form": form,
            "bytes_per_item": round(size, 2),
            "mean": rounded(found.mean),
            "stderr": rounded(found.stderr),
            "seconds": round(done - started, 2),
            "seconds_fit": round(made - started, 2),
            "seconds_evaluate": round(done - made, 2),
        }

    def beside(self, found: Result) -> Result:
        """The result of `run_task`, each model's forms after it."""
        rows = [
            one
            for row in found.rows
            for one in (row, *(r for r in self.rows[row["hash"]] if r["form"] != PLAIN))
        ]
        users = {row["hash"]: self.users.get(row["hash"]) for row in rows} | found.users
        seconds = round(sum(row["seconds"] for row in rows), 1)
        if has_faiss() and (run := found.manifest["runs"].get(found.run)):
            run["versions"] |= {FAISS: versions(FAISS)[FAISS]}
        manifest = found.manifest | {"kind": BYTES, "seconds": seconds}
        return Result(manifest, rows, found.trials, users)


def forms_expected(row: dict) -> set[str]:
    """Names of the forms that the model of a row is stored in, on this machine."""
    params = row["params"]
    if not params.keys() & {"nnz", "width"}:
        return {PLAIN}
    dense = () if "nnz" in params else (*CODES, *(OF_FAISS if has_faiss() else ()))
    return {PLAIN, *map(packed_name, BITS), *dense}


def forms_of(model, folder: Path) -> dict[str, Callable[[], Form]]:
    """How to store a fitted model in each form, in a folder; none of a whole matrix of weights."""
    if isinstance(model, SparseWeights):
        return {packed_name(bits): lambda b=bits: _packed(model, folder, b) for bits in BITS}
    if not hasattr(model, "item_embeddings"):
        return {}
    rows = model.item_embeddings
    forms = {packed_name(bits): lambda b=bits: _packed(rows, folder, b) for bits in BITS}
    if rows.is_dense:
        coders = CODES | (OF_FAISS if has_faiss() else {})
        dense = rows.matrix.toarray()
        forms |= {name: lambda c=code: _decoded(c(dense)) for name, code in coders.items()}
    return forms


def packed_name(bits: int) -> str:
    """What a packed form is called."""
    return f"{bits} bits"


def plain_bytes(model) -> float:
    """Bytes per item of a model as it is in memory: float32, and int32 indices with offsets."""
    if isinstance(model, SparseWeights):
        return csr_bytes_per_item(model.weights_)
    rows = getattr(model, "item_embeddings", None)
    if rows is None or rows.is_dense:
        return float(model.bytes_per_item)
    return csr_bytes_per_item(rows.matrix, rows.input_scales)


def _packed(stored: ItemEmbeddings | SparseWeights, folder: Path, bits: int) -> Form:
    """Rows or weights in a file, scored from it; dense rows are taken out of it for that."""
    found = stored.pack(bits, folder / packed_name(bits))
    return found.unpack() if found.is_dense else found, found.bytes_per_item


def _decoded(coded) -> Form:
    return ItemEmbeddings(csr_matrix(coded.rows)), coded.bytes_per_item


def _trials_of(name: str) -> dict[str, float]:
    """Validation nDCG@100 by hash of the choice, of the stored study `name`."""
    path = stored_at(name)
    return load_result(path).trials if path.exists() else {}
