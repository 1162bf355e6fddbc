"""A statement in SQL that the reader's browser carries out over the rows of a model.

SQLite comes with the built book, as WebAssembly, and is asked for by a click.
"""

from importlib.resources import files

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data import Dataset, dataset_info
from celsa_lib.demo.pack import as_json, packed_rows
from celsa_lib.demo.page import LiveDemo, demo_template
from celsa_lib.demo.personas import ITEMS_EACH, Persona, personas
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError

TABLE_SCRIPTS = ("dom.js", "packed.js", "table.js")  # in one scope
N_COMPARED = 10


def live_table(data: Dataset, embeddings: ItemEmbeddings, question: str) -> LiveDemo:
    """`question` to run over `embeddings` of the items of `data`.

    Of the users it takes how often each item was chosen, and no history.
    """
    chosen = np.diff(data.X.tocsc().indptr)
    return table_page(data.name, data.items, chosen, embeddings, question)


def table_page(
    name: str,
    items: pd.DataFrame,
    popularity: np.ndarray,
    embeddings: ItemEmbeddings,
    question: str,
) -> LiveDemo:
    """The page of `question` over tables items, postings and seen, and a view asked.

    popularity: (n_items,). Everything from `items` is shown as text. Raises ConfigError for rows
    with input scales: the view adds rows up as they are.
    """
    if embeddings.input_scales is not None:
        raise ConfigError("a live table takes rows without input scales; train without the recipe")
    info = dataset_info(name)
    contents = {
        "titles": items["title"].astype(str).tolist(),
        "rows": packed_rows(embeddings.matrix),
        "examples": [_example(found, embeddings) for found in _examples(items, popularity)],
    }
    assets = files("celsa_lib.demo") / "assets"
    html = demo_template("table.html.jinja").render(
        contents=as_json(contents),
        style=(assets / "table.css").read_text(encoding="utf-8"),
        scripts=[(assets / script).read_text(encoding="utf-8") for script in TABLE_SCRIPTS],
        question=question.strip(),
        examples=[example["name"] for example in contents["examples"]],
        title=info.title,
        citation=info.citation,
    )
    return LiveDemo(html)


def _examples(items: pd.DataFrame, popularity: np.ndarray) -> list[Persona]:
    """Personas; without genres the most popular items."""
    favourites = np.argsort(-popularity, kind="stable")[:ITEMS_EACH].tolist()
    return personas(items, popularity) or [Persona("What most people chose", favourites)]


def _example(persona: Persona, embeddings: ItemEmbeddings) -> dict:
    """What the persona has seen, and the library's list for it."""
    one = np.ones(len(persona.items), np.float32)
    places = np.zeros(len(one), int), persona.items
    x = csr_matrix((one, places), shape=(1, embeddings.matrix.shape[0]))
    best, scores = embeddings.recommend(x, n=N_COMPARED)
    found = best[0] >= 0  # a small catalogue has fewer
    return {
        "name": persona.name,
        "items": persona.items,
        "best": best[0][found].tolist(),
        "scores": scores[0][found].tolist(),
    }
