"""The demo as one piece of HTML: data, style and script inside, nothing from elsewhere."""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from celsa_lib.data import Dataset, DatasetInfo, dataset_info
from celsa_lib.demo.pack import as_json, packed, packed_rows, packed_words
from celsa_lib.demo.personas import Persona, personas
from celsa_lib.embeddings import ItemEmbeddings, PackedEmbeddings
from celsa_lib.report.comparison import human_size
from celsa_lib.results import Result
from celsa_lib.segments import (
    MajorityDescriber,
    Segmentation,
    SentenceEmbedder,
    segment_items,
)

SCRIPTS = (  # one scope
    "packed.js", "engine.js", "dom.js", "search.js", "figure.js", "chain.js", "knobs.js",
    "explorer.js", "page.js",
)  # fmt: skip
SHOWN_GENRES, SHOWN_AUTHORS = 3, 2
SHOWN_SEGMENTS, LEAST_UNSEEN = 5, 3  # rows of tiles, and unseen items that each must have


@dataclass(frozen=True, eq=False)
class DemoModel:
    """A model to choose in the demo. `segments` is None where it has none, as for a dense one.

    label: that of its method; models of one label differ in size. packed: the same rows as they lie
    in a file; the page then carries those.
    """

    label: str
    embeddings: ItemEmbeddings
    ndcg: float
    segments: Segmentation | None = None
    packed: PackedEmbeddings | None = None

    @property
    def bytes_per_item(self) -> float:
        """Of the file where the rows are packed, else by the rule of Table 1."""
        return (self.packed or self.embeddings).bytes_per_item


@dataclass(frozen=True, eq=False)
class LiveDemo:
    """The demo, which a notebook shows as HTML and a terminal as one line."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"LiveDemo({human_size(len(self.html.encode()))} of HTML)"


def live_demo(data: Dataset, result: Result, models: list) -> LiveDemo:
    """The demo of fitted `models`, one per row of `result`, smallest first and the dense ones last.

    Of the users it takes how often each item was chosen, and no history.
    """
    chosen = np.diff(data.X.tocsc().indptr)
    embed, found = SentenceEmbedder().embed, []
    kind = dataset_info(data.name).nouns[1].capitalize()
    for row, model in zip(result.rows, models, strict=True):
        rows = model.item_embeddings
        how = {"describer": MajorityDescriber(kind)} if rows.is_anchored else {"embed": embed}
        segments = None if rows.is_dense else segment_items(rows, data.items, **how)
        found.append(DemoModel(row["label"], rows, row["mean"]["ndcg@100"], segments))
    return demo_page(data.name, data.items, chosen, found)


def demo_page(
    name: str,
    items: pd.DataFrame,
    popularity: np.ndarray,
    models: list[DemoModel],
    given: list[Persona] | None = None,
) -> LiveDemo:
    """The demo of `models` over `items`, rows in the same order; `popularity` is (n_items,).

    Smallest models first and the dense ones last. `given` personas stand for those of genres.
    Everything from `items` is shown as text.
    """
    info = dataset_info(name)
    models = sorted(models, key=lambda model: (model.embeddings.is_dense, model.bytes_per_item))
    people = personas(items, popularity) if given is None else given
    contents = as_json(
        {
            "noun": list(info.nouns),
            "segments": {"shown": SHOWN_SEGMENTS, "least": LEAST_UNSEEN},
            "titles": items["title"].astype(str).tolist(),
            "about": [_about(item) for item in items.to_dict("records")],
            "places": _places(popularity).tolist(),
            "personas": [{"name": person.name, "items": person.items} for person in people],
            "models": [_packed_model(model) for model in models],
        }
    )
    assets = files("celsa_lib.demo") / "assets"
    style = (assets / "demo.css").read_text(encoding="utf-8")
    scripts = [(assets / script).read_text(encoding="utf-8") for script in SCRIPTS]
    html = demo_template("demo.html.jinja").render(
        contents=contents,
        style=style,
        scripts=scripts,
        page_size=human_size(sum(len(part.encode()) for part in (contents, style, *scripts))),
        n_items=f"{len(items):,}",
        n_models=len(models),
        labels=list(dict.fromkeys(m.label for m in models if not m.embeddings.is_dense)),
        has_personas=bool(people),
        **_words(info, items, by_genre=given is None),
    )
    return LiveDemo(html)


def _words(info: DatasetInfo, items: pd.DataFrame, by_genre: bool) -> dict[str, str]:
    """What the page calls things."""
    one, many = info.nouns
    by = "author" if "authors" in items else "genre"
    return {
        "item": one,
        "items": many,
        "placeholder": f"Title or {by}",
        "shown": f"Titles and {by}s",
        "personas_are": "the favourites of a genre" if by_genre else f"four {many} each",
        "title": info.title,
        "citation": info.citation,
        "licence": info.licence if info.redistribution else "",
    }


def _packed_model(model: DemoModel) -> dict:
    """What the page needs of one model."""
    rows, segments = model.embeddings, model.segments
    scales = None if model.packed else rows.input_scales
    return {
        "label": model.label,
        "dense": rows.is_dense,
        "latentsAreItems": rows.is_anchored,
        "bytes": model.bytes_per_item,
        "size": human_size(model.bytes_per_item * rows.matrix.shape[0]),
        "ndcg": round(float(model.ndcg), 3),
        "rows": packed_words(model.packed) if model.packed else packed_rows(rows.matrix),
        "inputScales": None if scales is None else packed(scales),
        "segments": segments
        and {
            "labels": [label.text for label in segments.labels],
            "ofItem": packed(segments.of_item.astype(np.min_scalar_type(len(segments)))),
            "rows": packed_rows(segments.matrix),
        },
    }


def _about(item: dict) -> str:
    """The first authors, year and genres of an item, where they are known."""
    genres = _known(item.get("genres")).split("|")[:SHOWN_GENRES]
    authors = _known(item.get("authors")).split(", ")[:SHOWN_AUTHORS]
    parts = [", ".join(authors), _known(item.get("year")), ", ".join(genres)]
    return " · ".join(part for part in parts if part)


def _known(value) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _places(popularity: np.ndarray) -> np.ndarray:
    """Each item's place by popularity, 0 for the most popular."""
    places = np.empty(len(popularity), dtype=int)
    places[np.argsort(-popularity, kind="stable")] = np.arange(len(popularity))
    return places


def demo_template(name: str, package: str = "celsa_lib.demo") -> Template:
    """A template of a package's folder; what it shows is escaped."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
