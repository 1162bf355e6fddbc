"""One item as what it is: its row to scale, beside the dense vector that it replaces, as HTML."""

from collections.abc import Sequence
from html import escape
from math import isqrt
from typing import NamedTuple

import numpy as np

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.models.registry import DENSE_SIZE, SPARSE_SIZE
from celsa_lib.shipped import goodbooks_rows

EXAMPLE = "Mort (Death, #1; Discworld, #4)"  # the item of the first page
NEAREST_SHOWN = 6  # other items that are named
NONZEROS_NAMED = 12  # nonzeros that are named
RING = 2  # cells around one in use, and around all of them
LARGEST_BAR = 60  # percent of a cell of the table: the value beside it needs the rest


class Nonzero(NamedTuple):
    """An entry of a row: its latent, what that is called, and its value."""

    latent: int
    name: str
    value: float


class ItemFacts(NamedTuple):
    """An item: title, number of latents, its nonzeros (largest first), titles of the nearest items.

    packed_bytes: what an item of its model takes in a packed file, on average.
    """

    title: str
    width: int
    nonzeros: tuple[Nonzero, ...]
    nearest: tuple[str, ...]
    packed_bytes: float

    @property
    def plain_bytes(self) -> int:
        """Bytes as the paper counts them: a value and its position each."""
        return SPARSE_SIZE[1] * len(self.nonzeros)


def example_item() -> ItemFacts:
    """EXAMPLE, from the largest rows that come with the library."""
    shipped = goodbooks_rows()
    titles = shipped.items["title"].tolist()
    packed = shipped.packed[max(shipped.packed)]
    return item_facts(shipped.embeddings, titles, titles.index(EXAMPLE), packed.bytes_per_item)


def item_facts(
    embeddings: ItemEmbeddings, titles: Sequence[str], position: int, packed_bytes: float
) -> ItemFacts:
    """What is shown of the item at `position`; latents of anchored rows are called as items are."""
    row, width = embeddings.matrix[position], embeddings.matrix.shape[1]
    names = titles if embeddings.is_anchored else [f"latent {latent}" for latent in range(width)]
    order = np.argsort(-np.abs(row.data), kind="stable")
    nonzeros = [Nonzero(int(row.indices[i]), names[row.indices[i]], float(row.data[i]))
                for i in order]  # fmt: skip
    nearest, _ = embeddings.similar([position], NEAREST_SHOWN)
    near = [titles[item] for item in nearest[0] if item >= 0]
    return ItemFacts(titles[position], width, tuple(nonzeros), tuple(near), packed_bytes)


def item_markup(item: ItemFacts, dense_width: int) -> str:
    """The item as HTML: its row, a dense vector of `dense_width` numbers in the same scale, its
    nonzeros by name, bytes, and the items nearest to it. Everything in it is escaped.
    """
    count, dense_bytes = len(item.nonzeros), DENSE_SIZE[1] * dense_width
    sizes = (
        (f"dense, {dense_width:,} numbers", dense_bytes, "celsa-dense"),
        (f"its row, {count} values with positions", item.plain_bytes, "celsa-sparse"),
        ("its row in a packed file, on average", round(item.packed_bytes), "celsa-sparse"),
    )
    row = f"{count} of {item.width:,} cells hold a number: {item.plain_bytes} bytes"
    dense = f"{dense_width:,} of {dense_width:,}: {dense_bytes:,} bytes"
    return f"""<div class="celsa-item">
<p class="celsa-title">{escape(item.title)}</p>
<div><figure>{_sparse_cells(item)}<figcaption>{row}</figcaption></figure>
<figure>{_dense_cells(dense_width, item.width)}
<figcaption>The dense vector that it replaces, in the same scale: {dense}</figcaption></figure>
{_bars(sizes)}</div>
<div>{_names(item)}{_nearest(item)}</div>
</div>"""


def cell_side(cells: int) -> int:
    """Cells along an edge of the smallest square that holds them all."""
    return isqrt(cells - 1) + 1


def _sparse_cells(item: ItemFacts) -> str:
    """Every latent as a cell; those in use are filled by sign, and ringed so that they are seen."""
    side = cell_side(item.width)
    filled = "".join(_cell(nonzero, side) for nonzero in item.nonzeros)
    words = f"{item.width:,} cells, {len(item.nonzeros)} of them coloured"
    return _svg(side, words, f"{_block(item.width, side, 'celsa-empty')}{filled}")


def _cell(nonzero: Nonzero, side: int) -> str:
    y, x = divmod(nonzero.latent, side)
    sign = "celsa-minus" if nonzero.value < 0 else "celsa-plus"
    return (
        f'<g class="{sign}"><title>{escape(nonzero.name)}: {_signed(nonzero.value)}</title>'
        f'<rect x="{x}" y="{y + 0.08:g}" width="0.84" height="0.84"/>'
        f'<circle cx="{x + 0.42:g}" cy="{y + 0.5:g}" r="{RING - 0.3}"/></g>'
    )


def _dense_cells(width: int, beside: int) -> str:
    """A square of `width` full cells, as large as in a picture of `beside` cells."""
    side = cell_side(width)
    share = 100 * (side + 2 * RING) / (cell_side(beside) + 2 * RING)
    drawn = _svg(side, f"{width:,} cells, all of them full", _block(width, side, "celsa-full"))
    return f'<div style="width:{min(share, 100):.4g}%">{drawn}</div>'


def _svg(side: int, words: str, content: str) -> str:
    edge = side + 2 * RING
    view = f'viewBox="-{RING} -{RING} {edge} {edge}"'
    return f'<svg {view} role="img" aria-label="{escape(words)}">{content}</svg>'


def _block(cells: int, side: int, name: str) -> str:
    """The first `cells` cells of a square: full lines of them, and what is left."""
    lines, rest = divmod(cells, side)
    last = f"M0 {lines}.5H{rest}" if rest else ""
    full = "".join(f"M0 {line}.5H{side}" for line in range(lines))
    return f'<path class="{name}" d="{full}{last}"/>'


def _names(item: ItemFacts) -> str:
    """The largest nonzeros as a table, each with a bar, and what is left."""
    largest = abs(item.nonzeros[0].value)
    lines = "".join(
        f'<tr><th scope="row">{escape(one.name)}</th><td>'
        f'<span class="celsa-bar {"celsa-minus" if one.value < 0 else "celsa-plus"}" '
        f'style="width:{LARGEST_BAR * abs(one.value) / largest:.3g}%"></span> '
        f"{_signed(one.value)}</td></tr>"
        for one in item.nonzeros[:NONZEROS_NAMED]
    )
    left = item.nonzeros[NONZEROS_NAMED:]
    if left:
        lines += (
            f'<tr><td colspan="2">and {len(left)} of at most {abs(left[0].value):.2f}</td></tr>'
        )
    return f"<table><caption>Its {len(item.nonzeros)} nonzeros, by latent</caption>{lines}</table>"


def _bars(sizes: Sequence[tuple[str, int, str]]) -> str:
    """Bytes as bars of one scale."""
    most = max(size for _, size, _ in sizes)
    lines = "".join(
        f"<dt>{escape(name)}: <strong>{size:,} bytes</strong></dt>"
        f'<dd><span class="celsa-bar {kind}" style="width:{100 * size / most:.3g}%"></span></dd>'
        for name, size, kind in sizes
    )
    return f"<dl>{lines}</dl>"


def _nearest(item: ItemFacts) -> str:
    """The nearest items, in order."""
    lines = "".join(f"<li>{escape(title)}</li>" for title in item.nearest)
    return f'<p class="celsa-near">Nearest to it, by the cosine of their rows</p><ol>{lines}</ol>'


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
