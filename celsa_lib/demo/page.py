"""The demo as one piece of HTML: data, style and script inside, nothing from elsewhere."""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from celsa_lib.data import Dataset, dataset_info
from celsa_lib.demo.pack import as_json, packed, packed_rows
from celsa_lib.demo.personas import personas
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.report.comparison import human_size
from celsa_lib.results import Result
from celsa_lib.segments import Segmentation, SentenceEmbedder, segment_items

SCRIPTS = ("packed.js", "engine.js", "dom.js", "search.js", "figure.js", "page.js")  # one scope
SHOWN_GENRES = 3


@dataclass(frozen=True, eq=False)
class DemoModel:
    """A model to choose in the demo. `segments` is None where it has none, as for a dense one.

    label: that of its method; models of one label differ in size.
    """

    label: str
    embeddings: ItemEmbeddings
    ndcg: float
    segments: Segmentation | None = None


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
    found = []
    embed = SentenceEmbedder().embed
    for row, model in zip(result.rows, models, strict=True):
        rows = model.item_embeddings
        segments = None if rows.is_dense else segment_items(rows, data.items, embed=embed)
        found.append(DemoModel(row["label"], rows, row["mean"]["ndcg@100"], segments))
    found.sort(key=lambda model: (model.embeddings.is_dense, model.embeddings.bytes_per_item))
    return demo_page(data.name, data.items, chosen, found)


def demo_page(
    name: str, items: pd.DataFrame, popularity: np.ndarray, models: list[DemoModel]
) -> LiveDemo:
    """The demo of `models` over `items`, rows in the same order; `popularity` is (n_items,).

    Everything from `items` is shown as text.
    """
    info = dataset_info(name)
    one, many = info.nouns
    contents = {
        "noun": [one, many],
        "titles": items["title"].astype(str).tolist(),
        "about": [_about(item) for item in items.to_dict("records")],
        "places": _places(popularity).tolist(),
        "personas": [{"name": p.name, "items": p.items} for p in personas(items, popularity)],
        "models": [_packed_model(model) for model in models],
    }
    assets = files("celsa_lib.demo") / "assets"
    html = demo_template("demo.html.jinja").render(
        contents=as_json(contents),
        style=(assets / "demo.css").read_text(encoding="utf-8"),
        scripts=[(assets / script).read_text(encoding="utf-8") for script in SCRIPTS],
        items=many,
        n_items=f"{len(items):,}",
        n_models=len(models),
        labels=list(dict.fromkeys(m.label for m in models if not m.embeddings.is_dense)),
        has_personas=bool(contents["personas"]),
        title=info.title,
        citation=info.citation,
    )
    return LiveDemo(html)


def _packed_model(model: DemoModel) -> dict:
    """What the page needs of one model; sizes by the rule of Table 1."""
    rows, segments = model.embeddings, model.segments
    scales = rows.input_scales
    return {
        "label": model.label,
        "dense": rows.is_dense,
        "latentsAreItems": rows.is_anchored,
        "bytes": rows.bytes_per_item,
        "size": human_size(rows.bytes_per_item * rows.matrix.shape[0]),
        "ndcg": round(float(model.ndcg), 3),
        "rows": packed_rows(rows.matrix),
        "inputScales": None if scales is None else packed(scales),
        "segments": segments
        and {
            "labels": [label.text for label in segments.labels],
            "members": [np.asarray(members).tolist() for members in segments.members],
            "rows": packed_rows(segments.matrix),
        },
    }


def _about(item: dict) -> str:
    """Authors, year and genres of an item, where they are known."""
    genres = _known(item.get("genres")).split("|")[:SHOWN_GENRES]
    parts = [_known(item.get("authors")), _known(item.get("year")), ", ".join(genres)]
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
