"""One style for every figure: Okabe–Ito colours, a mark per method, a light background."""

import matplotlib as mpl

# Colours of Okabe and Ito (2008), told apart by colour-blind readers; each with its own mark.
METHOD_COLOURS = {
    "Recommended setting": "#882255",
    "Compressed ELSA": "#D55E00",
    "ELSA": "#000000",
    "Low-dim ELSA": "#0072B2",
    "Pruned EASE": "#009E73",
    "EASE": "#56B4E9",
    "ELSA + SAE": "#CC79A7",
    "Popularity": "#999999",
    "Released embeddings": "#E69F00",
}
METHOD_MARKS = {
    "Recommended setting": "h",
    "Compressed ELSA": "o",
    "ELSA": "*",
    "Low-dim ELSA": "s",
    "Pruned EASE": "^",
    "EASE": "P",
    "ELSA + SAE": "D",
    "Popularity": "X",
    "Released embeddings": "v",
}
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
OTHER_COLOUR, OTHER_MARK = "#F0E442", "h"

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


def colour(method: str) -> str:
    """Hex colour of a method's label."""
    return METHOD_COLOURS.get(method, OTHER_COLOUR)


def variant_colour(name: str, position: int) -> str:
    """Hex colour of a variant: its schedule's, if it begins with one, or that of its position."""
    return SCHEDULE_COLOURS.get(name.split(",")[0], PALETTE[position % len(PALETTE)])


def mark(method: str) -> str:
    """Matplotlib marker of a method's label."""
    return METHOD_MARKS.get(method, OTHER_MARK)


def legend_below(figure) -> None:
    """One legend below the axes, not beside them: a telephone shows both in larger letters."""
    figure.legend(loc="outside lower center", ncols=3, fontsize=9.5)


def styled():
    """A context in which figures have this style."""
    return mpl.rc_context(RC)
