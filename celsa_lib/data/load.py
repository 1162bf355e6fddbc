"""`load_dataset`: from a name to a Dataset, wherever the files come from."""

import logging
from pathlib import Path
from pkgutil import resolve_name

from celsa_lib.data.checks import sha256_of
from celsa_lib.data.dataset import Dataset
from celsa_lib.data.download import fetch_dataset, find_file, form_of, locate
from celsa_lib.data.interactions import binarise
from celsa_lib.data.item_rows import item_table
from celsa_lib.data.registry import dataset_info
from celsa_lib.data.synthetic import make_synthetic
from celsa_lib.errors import ConfigError

log = logging.getLogger(__name__)


def load_dataset(
    name: str,
    *,
    min_rating: float = 4.0,
    min_user_interactions: int = 5,
    data_dir: str | Path | None = None,
    progress: bool = True,
    **synthetic_params,
) -> Dataset:
    """Load a dataset of the registry as the paper does: ratings ≥ 4, users with ≥ 5 of them.

    Files are taken from `data_dir` or CELSA_DATA (`<folder>/<name>/`), then the cache, then a
    download, shown by a bar unless `progress` is False. `synthetic_params` go to make_synthetic,
    for "synthetic" only. Raises DatasetNotFoundError, DownloadError or DataError, each saying
    what to do.
    """
    info = dataset_info(name)
    if name == "synthetic":
        try:
            return make_synthetic(**synthetic_params)
        except TypeError as error:
            raise ConfigError(f"synthetic: {error}; see make_synthetic for its options") from error
    if synthetic_params:
        raise ConfigError(f"{name} takes no {', '.join(synthetic_params)}: only 'synthetic' does")
    folder = fetch_dataset(name, data_dir, progress=progress)
    high = resolve_name(info.reader)(folder, info, min_rating)
    X, user_ids, item_ids = binarise(high.users, high.items, min_user_interactions, str(folder))
    log.info("%s: %d users, %d items, %d interactions", name, *X.shape, X.nnz)
    return Dataset(
        name=name,
        X=X,
        user_ids=user_ids,
        item_ids=item_ids,
        items=item_table(item_ids, high.metadata),
        checksum=sha256_of(high.files),
        source=f"{info.title}, read from {folder.name}/ ({', '.join(_names(high.files))})",
    )


def files_checksum(name: str, fetch: bool = False) -> str:
    """sha256 over the files that make a dataset, "" for what is generated or not here yet.

    It changes when a file does, wherever the files lie. With `fetch` they are downloaded first
    where they are not here. Raises DatasetNotFoundError, DownloadError.
    """
    info = dataset_info(name)
    if not info.forms:
        return ""
    folder = fetch_dataset(name, progress=False) if fetch else locate(name)
    if folder is None:
        return ""
    found = [find_file(folder, part) for part in form_of(folder, info)]
    return sha256_of(file for path in found for file in _files_in(path))


def _files_in(path: Path) -> list[Path]:
    """A file itself, or the files of a folder in a fixed order."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _names(files: tuple[Path, ...]) -> list[str]:
    """File names for a sentence; of thousands the first and last alone."""
    names = [file.name for file in files]
    return names if len(names) <= 5 else [names[0], "…", names[-1]]
