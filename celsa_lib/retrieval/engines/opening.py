"""Open an engine with item rows, and fill it where it does not have them."""

import re
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.retrieval.engines.base import Engine
from celsa_lib.retrieval.engines.filling import EngineRows
from celsa_lib.retrieval.engines.index import Index
from celsa_lib.retrieval.engines.registry import (
    ENGINES,
    FOLDER,
    SERVER,
    EngineInfo,
    engine_info,
)

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 5_000  # added at a time: what a killed load repeats at most
DEFAULT_TABLE = "celsa_items"  # what the rows are called on a server


def available() -> list[str]:
    """Names of the engines whose packages are installed; a server may be needed besides."""
    return [name for name, info in ENGINES.items() if info.is_available]


def open(
    name: str,
    embeddings,
    items: "pd.DataFrame | None" = None,
    path: str | Path | None = None,
    address: str | None = None,
    table: str = DEFAULT_TABLE,
    fill: bool = True,
) -> Index:
    """The engine `name` with the rows of `embeddings` (ItemEmbeddings or packed), as an Index.

    items: a table indexed by item id whose `title` is kept beside the rows. path: a folder, for an
    engine with files; without it they are temporary. address: of a server, under the name `table`.
    An engine that holds nothing yet is filled, unless not `fill`. Raises ConfigError for another
    engine or a missing package, StorageError where it holds other rows (`load_rows` replaces them).
    """
    info = _checked(name, path, address, table)
    source = EngineRows.of(embeddings, items)
    temporary = None
    if info.place == FOLDER and path is None:
        temporary = tempfile.TemporaryDirectory(prefix="celsa-")
        path = temporary.name
    try:
        engine = _engine(info, source, path or address, table)
        try:
            if (held := engine.held()) == engine.digest:
                engine.attach()
            elif held is None and (fill or not info.keeps_rows):
                _fill(engine, source, progress=False)
            else:
                what = "no rows yet" if held is None else "other rows than these embeddings"
                raise StorageError(
                    f"{name} holds {what}; fill it with `celsa load` or engines.load_rows"
                )
        except BaseException:
            engine.close()
            raise
    except BaseException:
        if temporary is not None:
            temporary.cleanup()
        raise
    return Index(info, engine, source, temporary)


def load_rows(
    name: str,
    embeddings,
    items: "pd.DataFrame | None" = None,
    path: str | Path | None = None,
    address: str | None = None,
    table: str = DEFAULT_TABLE,
    progress: bool = True,
) -> int:
    """Fill the engine `name` as `open` does, or replace what it holds; how many rows were written.

    Rows come beside those that are there, which answer until the last has come. A load that was
    killed goes on, and rows that are there are not written again. Raises ConfigError, StorageError.
    """
    info = _checked(name, path, address, table)
    if not info.keeps_rows or not (path or address):
        kept = [other.name for other in ENGINES.values() if other.keeps_rows]
        raise ConfigError(
            f"{name} would not keep the rows; load {', '.join(kept)}, with a path or an address"
        )
    source = EngineRows.of(embeddings, items)
    engine = _engine(info, source, path or address, table)
    try:
        if engine.held() == engine.digest:
            return 0
        return _fill(engine, source, progress)
    finally:
        engine.close()


def _checked(name: str, path: str | Path | None, address: str | None, table: str) -> EngineInfo:
    """What is known of the engine. Raises ConfigError for a place that it does not take."""
    info = engine_info(name)
    if path is not None and info.place != FOLDER:
        raise ConfigError(f"{name} keeps nothing in a folder; leave out the path")
    if (address is not None) != (info.place == SERVER):
        wanted = "needs the address of a server" if address is None else "takes no address"
        raise ConfigError(f"{name} {wanted}")
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", table):
        raise ConfigError(
            f'"{table}" cannot be the name of a table; take lower-case letters, digits and _, at '
            "most 40"
        )
    return info


def _engine(info: EngineInfo, source: EngineRows, place: str | Path | None, table: str) -> Engine:
    """The engine for these rows at a place. Raises ConfigError where a package is missing."""
    width = source.rows.shape[1]
    return info.engine_class()(place, width, source.digest(info.name), table)


def _fill(engine: Engine, source: EngineRows, progress: bool) -> int:
    """Add what is missing of `source`; the number of rows written. Raises StorageError."""
    n_rows = source.rows.shape[0]
    with engine.alone():
        engine.begin()
        start = engine.count() // BATCH_ROWS * BATCH_ROWS
        with _progress_bar(start, n_rows) if progress else nullcontext() as bar:
            for batch in source.batches(start, BATCH_ROWS):
                engine.add(batch)
                if progress:
                    bar.update(batch.rows.shape[0])
        engine.finish()
    return n_rows - start


def _progress_bar(start: int, n_rows: int):
    from tqdm import tqdm

    return tqdm(initial=start, total=n_rows, unit="row")
