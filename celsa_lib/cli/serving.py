"""`celsa load`: embeddings into an engine, and recommendations asked of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celsa_lib.cli.base import AnyEmbeddingsFile, Source, load_embeddings
from celsa_lib.cli.tables import Table, with_table
from celsa_lib.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    import celsa_lib as cl
    from celsa_lib.retrieval.engines import Index

EngineFolder = Annotated[
    Path | None, typer.Option("--path", help="Folder of an engine with files.")
]
EngineAddress = Annotated[
    str | None,
    typer.Option(
        "--address", "--dsn", help="Of a server: postgresql://user@host/database, http://host:6333."
    ),
]
EngineTable = Annotated[
    str | None, typer.Option("--table", help="What the rows are called on a server.")
]
AskedEngine = Annotated[
    str | None, typer.Option("--from", help="Ask this engine, which `celsa load` filled.")
]

OnlyItems = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="CONDITION",
        help="Items of which this is true: year>=1990, genres=Drama; repeatable.",
    ),
]
WithoutItems = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="CONDITION|TITLE", help="Leave these out; repeatable."),
]


@with_table
def load(
    embeddings: AnyEmbeddingsFile,
    dataset: Source,
    into: Annotated[str, typer.Option(help="qdrant-edge, qdrant, pgvector, sqlite, …")],
    path: EngineFolder = None,
    address: EngineAddress = None,
    rows_called: EngineTable = None,
    *,
    table: Table,
) -> None:
    """Fill an engine: celsa load emb.npz ml-100k --into pgvector --dsn postgresql://…

    What the engine held before answers until all rows are there, and is then
    replaced. A load that was killed goes on; rows that are there already are
    not written again. `celsa recommend --from` asks the engine.
    """
    from celsa_lib.retrieval.engines import DEFAULT_TABLE, load_rows

    found, loaded = load_embeddings(embeddings, dataset, table, packed=True)
    written = load_rows(into, found, loaded.items, path, address, rows_called or DEFAULT_TABLE)
    typer.echo(f"{into}: {len(found.item_ids):,} rows, {written:,} of them written now")


@contextmanager
def asked(
    engine: str | None,
    embeddings: "cl.ItemEmbeddings | cl.PackedEmbeddings",
    items: "pd.DataFrame",
    path: Path | None,
    address: str | None,
    table: str | None,
) -> Iterator:
    """What answers: the embeddings, or the engine that holds their rows. Raises CelsaError."""
    from celsa_lib.retrieval import engines

    if engine is None and (path or address or table):
        raise ConfigError("--path, --address and --table go with --from; name the engine")
    if engine is None:
        yield embeddings
        return
    if path is None and engines.engine_info(engine).place == engines.FOLDER:
        raise ConfigError(f"say where {engine} has its rows: --path FOLDER, as for `celsa load`")
    table = table or engines.DEFAULT_TABLE
    with engines.open(engine, embeddings, items, path, address, table, fill=False) as index:
        yield FromEngine(index, embeddings)


class FromEngine:
    """Recommends what an engine finds; the embeddings only make the question."""

    def __init__(self, index: "Index", embeddings: "cl.ItemEmbeddings | cl.PackedEmbeddings"):
        """`index` holds the rows of `embeddings`."""
        self.index, self.embeddings = index, embeddings
        self.place_of = {item: place for place, item in enumerate(index.item_ids.tolist())}

    def recommend(
        self,
        X: "csr_matrix",
        n: int,
        exclude_seen: bool,
        among: "np.ndarray | None" = None,
        without: "np.ndarray | None" = None,
    ) -> tuple:
        """(indices, scores) of the `n` best for X's only user, each 1 × n."""
        import numpy as np

        out = [X.indices] if exclude_seen else []
        out = np.concatenate([*out, [] if without is None else without]).astype(int)
        latents = self.embeddings.encode(X)
        return self._ranking(*self.index.search(latents, n, *self._ids_of(out, among)))

    def similar(
        self,
        items: list[int],
        n: int,
        among: "np.ndarray | None" = None,
        without: "np.ndarray | None" = None,
    ) -> tuple:
        """(indices, cosines) of the `n` nearest to the only one of `items`, each 1 × n."""
        (item,) = items
        asked = self.index.item_ids[item]
        return self._ranking(*self.index.similar(asked, n, *self._ids_of(without, among)))

    def _ids_of(self, *positions: "np.ndarray | None") -> list:
        """Ids of the items at each of these positions; None for None."""
        return [None if some is None else self.index.item_ids[some] for some in positions]

    def _ranking(self, ids: "np.ndarray", scores: "np.ndarray") -> tuple:
        import numpy as np

        places = np.array([self.place_of[item] for item in ids.tolist()], dtype=np.int64)
        return places[None], scores[None]
