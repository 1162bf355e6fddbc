"""The rows that come with the library: trained by the recommended recipe, tested, written."""

from pathlib import Path

import numpy as np

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.experiments.config import ExperimentConfig, at_budgets
from celsa_lib.experiments.profiles import PRECISION, configuration
from celsa_lib.experiments.real_bytes import packed_name, run_in_forms
from celsa_lib.experiments.run import TUNED_ON
from celsa_lib.experiments.studies import stored_at
from celsa_lib.experiments.task import prepare
from celsa_lib.models.registry import RECOMMENDED_RECIPE
from celsa_lib.results import Result
from celsa_lib.shipped import write_shipped
from celsa_lib.shipped.rows import GOODBOOKS_ROWS, ROW_BITS

ROWS_STUDY = "goodbooks-rows"
SHIPPED_BUDGETS = (128, 64)  # bytes per item by Table 1: 16 and 8 nonzeros


def run_shipped(dataset: str, profile: str = "laptop", out: str | Path | None = None) -> Result:
    """Train, measure in all forms, and write the rows of 4 bits with their record.

    They go into the package where `out` is the stored result, else into a folder beside it. Models
    whose rows `out` has already are not trained and not written again. Raises CelsaError.
    """
    config = shipped_config(dataset, profile)
    data, task = prepare(config)
    models = {}
    result = run_in_forms(
        config, data, task, out, on_model=lambda row, model: models.update({row["hash"]: model})
    )
    if models:
        rows = {
            models[row["model"]].nnz: _with_record(models[row["model"]], row, result)
            for row in result.select(form=packed_name(ROW_BITS))
            if row["model"] in models
        }
        folder = rows_folder(profile, stored_at(ROWS_STUDY) if out is None else Path(out))
        items = data.items.reindex(task.item_ids)
        write_shipped(folder, items, np.asarray(task.fit.sum(axis=0), int).ravel(), rows)
    return result


def rows_folder(profile: str, out: Path) -> Path:
    """Where the rows go whose study is written to `out`."""
    is_stored = profile == "laptop" and out.resolve() == stored_at(ROWS_STUDY).resolve()
    return GOODBOOKS_ROWS if is_stored else out.with_suffix("")


def shipped_config(dataset: str, profile: str = "laptop") -> ExperimentConfig:
    """The recommended setting at two sizes, with one seed. Raises ConfigError."""
    given = RECOMMENDED_RECIPE | {"precision": PRECISION}
    methods = at_budgets("CompressedELSA", SHIPPED_BUDGETS, **given)
    return configuration(dataset, profile, methods)


def _with_record(model, row: dict, result: Result) -> ItemEmbeddings:
    """The rows of a model with what is known of their making; `row` is that of their packed form.

    Ids in few bytes, since the file keeps them as they are.
    """
    manifest, found = result.manifest, model.item_embeddings
    run = manifest["runs"][result.run]
    record = {
        "data": manifest["data"]["name"],
        "checksum": manifest["data"]["checksum"],
        "params": row["params"],
        "seed": row["seed"],
        "run": result.run,
        "machine": run["machine"],
        "versions": run["versions"],
        "users": manifest["users"],
        TUNED_ON: row["mean"][TUNED_ON],
        "stderr": row["stderr"][TUNED_ON],
    }
    ids = _short_ids(found.item_ids)
    return ItemEmbeddings(found.matrix, ids, record, found.input_scales)


def _short_ids(ids) -> np.ndarray:
    """Whole numbers in as few bytes as hold them; other ids as they are."""
    ids = np.asarray(ids)
    return ids.astype(np.min_scalar_type(ids.max())) if ids.dtype.kind in "iu" else ids
