"""One style for every figure: Okabe–Ito colours, a mark per method, a light background."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl

from celsa_lib.models.registry import BY_LABEL

# Lines on white and on black; the exponential one, the default, as Compressed ELSA.
SCHEDULE_COLOURS = {
    "constant": "#0072B2",
    "linear": "#009E73",
    "exponential": "#D55E00",
    "step-wise": "#CC79A7",
}
# For what is no method, in the order that it comes in: Tol's "muted" scheme (2021).
PALETTE = ("#332288", "#CC6677", "#117733", "#88CCEE", "#AA4499", "#999933", "#882255")
MARKS = "osD^vPX"
OTHER_COLOUR, OTHER_MARK = "#F0E442", "p"

RC = {
    "figure.figsize": (6.4, 4.8),
    "figure.dpi": 110,
    "figure.facecolor": "white",  # readable in the book's dark mode too
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#DDDDDD",
    "font.size": 11,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "legend.frameon": False,
    "svg.hashsalt": "celsa",  # the same figure gives the same bytes
}


def colour(label: str) -> str:
    """Hex colour of a method by its label, OTHER_COLOUR for what is no method."""
    return BY_LABEL[label].colour if label in BY_LABEL else OTHER_COLOUR


def variant_colour(name: str, position: int) -> str:
    """Hex colour of a variant: its schedule's, if it begins with one, or that of its position."""
    return SCHEDULE_COLOURS.get(name.split(",")[0], PALETTE[position % len(PALETTE)])


def mark(label: str) -> str:
    """Matplotlib marker of a method by its label, OTHER_MARK for what is no method."""
    return BY_LABEL[label].marker if label in BY_LABEL else OTHER_MARK


def legend_below(figure) -> None:
    """One legend below the axes, not beside them: a telephone shows both in larger letters."""
    figure.legend(loc="outside lower center", ncols=3, fontsize=9.5)


def styled():
    """A context in which figures have this style."""
    return mpl.rc_context(RC)


@contextmanager
def new_figure(**options) -> Iterator[tuple]:
    """(figure, axes) of plt.subplots(**options) in this style, to be drawn on inside.

    The caller shows it: once, and not again when a notebook's cell ends.
    """
    import matplotlib.pyplot as plt

    with styled():
        figure, axes = plt.subplots(layout="constrained", **options)
        try:
            yield figure, axes
        finally:
            plt.close(figure)
