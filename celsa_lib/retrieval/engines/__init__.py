"""Engines that a user would serve item rows from, all asked in one way.

`open(name, embeddings)` gives an `Index`: `search(latents, n)` finds the best items for a user's
latents, `emb.encode(X)`. `load_rows` fills an engine that keeps them, `available` names those whose
packages are installed.
"""

from celsa_lib.retrieval.engines.index import Index
from celsa_lib.retrieval.engines.opening import DEFAULT_TABLE, available, load_rows, open
from celsa_lib.retrieval.engines.registry import ENGINES, FOLDER, EngineInfo, engine_info

__all__ = [
    "DEFAULT_TABLE",
    "ENGINES",
    "FOLDER",
    "EngineInfo",
    "Index",
    "available",
    "engine_info",
    "load_rows",
    "open",
]
