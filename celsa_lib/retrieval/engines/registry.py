"""Every engine: what it needs, where it keeps rows, and what it makes of signed ones."""

import importlib
from dataclasses import dataclass
from importlib.util import find_spec

from celsa_lib.errors import ConfigError

MEMORY, FOLDER, SERVER = "memory", "folder", "address"  # where an engine keeps its rows
# What becomes of its answers. SPLIT is for engines that refuse values below zero or lose rows over
# them: latents are split in two by sign, and candidates are ranked again by the signed rows.
AS_IS, AGAIN, SPLIT = "as they are", "ranked again", "split by sign, ranked again"


@dataclass(frozen=True)
class EngineInfo:
    """An engine. location: its class. modules: what it imports, installed by `packages`.

    filters: whether it leaves out items itself. only_touched: whether it finds those rows alone
    that share a latent with the user. is_exact: whether it finds the best rows, always.
    """

    name: str
    location: str
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    place: str = MEMORY
    handling: str = AS_IS
    filters: bool = False
    only_touched: bool = False
    is_exact: bool = True

    @property
    def keeps_rows(self) -> bool:
        """Whether rows outlive the process."""
        return self.place != MEMORY

    @property
    def is_available(self) -> bool:
        """Whether its packages are installed; nothing is imported."""
        return all(find_spec(module) is not None for module in self.modules)

    def engine_class(self) -> type:
        """Its class. Raises ConfigError, with what to install, where a package is missing."""
        if not self.is_available:
            raise ConfigError(
                f'{self.name} needs {" and ".join(self.packages)}: pip install "celsa[retrieval]"'
            )
        module, name = self.location.split(":")
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)


_ALL = (
    EngineInfo("exact", "exact:ExactEngine", filters=True),
    EngineInfo(
        "qdrant-edge", "qdrant_edge:QdrantEdgeEngine", ("qdrant_edge",), ("qdrant-edge-py",),
        FOLDER, filters=True, only_touched=True,
    ),
    EngineInfo(
        "qdrant", "qdrant:QdrantEngine", ("qdrant_client",), ("qdrant-client",),
        SERVER, filters=True, only_touched=True,
    ),
    EngineInfo(
        "pgvector", "pgvector:PgvectorEngine", ("psycopg",), ("psycopg[binary]",),
        SERVER, filters=True,
    ),
    EngineInfo("sqlite", "sqlite:SqliteEngine", place=FOLDER, filters=True, only_touched=True),
    EngineInfo(
        "kannolo", "graphs:KannoloEngine", ("kannolo",), ("kannolo",),
        handling=AGAIN, is_exact=False,
    ),
    EngineInfo(
        "seismic", "graphs:SeismicEngine", ("seismic",), ("pyseismic-lsr",),
        handling=SPLIT, only_touched=True, is_exact=False,
    ),
    EngineInfo("zvec", "zvec:ZvecEngine", ("zvec",), ("zvec",), FOLDER, filters=True),
    EngineInfo(
        "milvus", "milvus:MilvusEngine", ("pymilvus", "milvus_lite"), ("pymilvus", "milvus-lite"),
        FOLDER, handling=SPLIT, filters=True, only_touched=True,
    ),
    EngineInfo(
        "milvus-server", "milvus:MilvusServerEngine", ("pymilvus",), ("pymilvus",),
        SERVER, handling=SPLIT, filters=True, only_touched=True,
    ),
    EngineInfo("faiss-flat", "dense:FaissFlatEngine", ("faiss",), ("faiss-cpu",)),
    EngineInfo(
        "faiss-hnsw", "dense:FaissGraphEngine", ("faiss",), ("faiss-cpu",),
        handling=AGAIN, is_exact=False,
    ),
    EngineInfo(
        "faiss-pq", "dense:FaissCodesEngine", ("faiss",), ("faiss-cpu",),
        handling=AGAIN, is_exact=False,
    ),
    EngineInfo(
        "usearch", "dense:UsearchEngine", ("usearch",), ("usearch",),
        handling=AGAIN, is_exact=False,
    ),
)  # fmt: skip
ENGINES = {info.name: info for info in _ALL}


def engine_info(name: str) -> EngineInfo:
    """What is known of the engine `name`. Raises ConfigError for another name."""
    if name not in ENGINES:
        raise ConfigError(f'there is no engine "{name}"; choose one of {", ".join(ENGINES)}')
    return ENGINES[name]
