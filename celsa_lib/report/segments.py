"""Tables and figures of segments: who is in them, and what one user makes of them."""

from html import escape

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from celsa_lib.report.style import MARKS, PALETTE, new_figure
from celsa_lib.report.tables import Html, typeset
from celsa_lib.segments.grouping import indicator_of
from celsa_lib.segments.shown import shown_segments

N_TITLES, LATENTS, NEAREST = 12, 6, 3  # of a segment in the catalogue
STRONGEST = 60  # latents of a user in a figure


def segments_table(segmentation, n: int = 10, X: csr_matrix | None = None) -> pd.DataFrame:
    """The `n` largest segments, or those chosen most in X (users × items): name, who named it,
    items, latents, typical titles.
    """
    order = range(len(segmentation)) if X is None else np.argsort(-segmentation.chosen(X))
    rows = []
    for segment in order[:n]:
        members = segmentation.members[segment]
        titles = [str(title) for title in segmentation.titles[segmentation.typical(segment, 3)]]
        rows.append(
            {
                "segment": segmentation.labels[segment].text,
                "named by": segmentation.labels[segment].source,
                "items": len(members),
                "share of items": f"{len(members) / len(segmentation.of_item):.1%}",
                "signed latents": len(segmentation.latents(segment)),
                "typical items": "; ".join(titles),
            }
        )
    return pd.DataFrame(rows)


def group_names(names, groups, items: pd.DataFrame, shown: list[int]) -> pd.DataFrame:
    """Some groups before merging: signed latent, name, items, first titles."""
    rows = []
    for group in shown:
        sign = "+" if groups.signs[group] > 0 else "−"
        members = groups.members[group]
        rows.append(
            {
                "latent": f"{sign}{groups.latents[group]}",
                "name": names[group].text,
                "items": len(members),
                "first items": "; ".join(map(str, items["title"].iloc[members[:3]])),
            }
        )
    return pd.DataFrame(rows)


def recommended_segments(segmentation, chosen: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """Segments recommended to one user, best first: name, items, score x·A·Bᵀ."""
    return pd.DataFrame(
        {
            "segment": [segmentation.labels[segment].text for segment in chosen],
            "items": [len(segmentation.members[segment]) for segment in chosen],
            "score": np.round(scores, 3),
        }
    )


def catalogue(segmentation) -> Html:
    """Every segment, to open and read: members, share of items, latents, nearest segments.

    Everything that comes from data or a describer is escaped.
    """
    nearest = _neighbours(segmentation)
    entries = "".join(
        _entry(segmentation, segment, nearest[segment]) for segment in range(len(segmentation))
    )
    return Html(
        '<div class="celsa-catalogue" role="region" tabindex="0" '
        f'aria-label="Catalogue of {len(segmentation)} segments">{entries}</div>'
    )


def _entry(segmentation, segment: int, nearest) -> str:
    members, label = segmentation.members[segment], segmentation.labels[segment]
    titles = "; ".join(map(str, segmentation.titles[segmentation.typical(segment, N_TITLES)]))
    more = f" and {len(members) - N_TITLES} more" if len(members) > N_TITLES else ""
    signed = [f"{'+' if s > 0 else '−'}{i}" for i, s in segmentation.latents(segment)]
    latents = ", ".join(signed[:LATENTS]) + (" …" if len(signed) > LATENTS else "")
    share = len(members) / len(segmentation.of_item)
    near = ", ".join(segmentation.labels[other].text for other in nearest)
    parts = [
        f"<p>{escape(titles)}{more}</p>",
        f"<p>{typeset(f'{share:.2%}')} of the items. Latents {latents}. "
        f"Named by {escape(label.source)}.",
        f" Nearest: {escape(near)}." if near else "",
        "</p>",
    ]
    summary = f"{escape(label.text)} <small>({len(members)})</small>"
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>"


def _neighbours(segmentation) -> list[np.ndarray]:
    """The NEAREST segments to each one, by the mean rows of their items."""
    of_segment = indicator_of(segmentation.of_item, len(segmentation)).T.tocsr()
    centres = of_segment @ segmentation.embeddings.matrix
    centres = normalize(centres)
    cosines = (centres @ centres.T).toarray()
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
    return [row[cosines[i, row] > 0] for i, row in enumerate(order)]


def home_page(rows: pd.DataFrame) -> Html:
    """A two-dimensional page from `Segmentation.rows`: a row per segment, its best items in it."""
    carousels = []
    for label, group in rows.groupby("label", sort=False):
        cards = "".join(f"<li>{escape(str(title))}</li>" for title in group["title"])
        name = escape(str(label))
        carousels.append(
            f'<section aria-label="{name}"><h4>{name}</h4>'
            f'<ol class="celsa-carousel" tabindex="0">{cards}</ol></section>'
        )
    return Html(f'<div class="celsa-home">{"".join(carousels)}</div>')


def user_figure(segmentation, x: csr_matrix, n_segments: int = 4, least: int = 1) -> Figure:
    """Figure 2: a user's strongest latents as bars, the signed latents of segments as arrows.

    x: 1 × items. Latents are sorted by activation; at the end of a bar an arrow for the recommended
    segment that has the latent, up for +, down for −. least: unseen items of a segment. Raises
    DataError for several users.
    """
    x = segmentation.one_user(x)
    activations = segmentation.embeddings.activations(x)[0]
    chosen, _ = shown_segments(segmentation, x, n_segments, least)
    strongest = np.argsort(-np.abs(activations), kind="stable")[:STRONGEST]
    strongest = strongest[activations[strongest] != 0]
    strongest = strongest[np.argsort(-activations[strongest], kind="stable")]
    place = {int(latent): i for i, latent in enumerate(strongest)}
    height = 0.12 * np.abs(activations).max()
    with new_figure(figsize=(7.6, 4.2)) as (figure, axes):
        axes.bar(range(len(strongest)), activations[strongest], color="#9A9A9A", width=0.7)
        for rank, segment in enumerate(chosen):
            style = PALETTE[rank % len(PALETTE)], MARKS[rank % len(MARKS)]
            _arrows(axes, segmentation, segment, style, place, activations, height)
        axes.axhline(0, color="#444444", linewidth=0.8)
        axes.set(
            xlabel=f"the user's {len(strongest)} strongest latents, by activation",
            ylabel="activation x·A",
            xticks=[],
        )
        axes.legend(fontsize=9.5, loc="upper right", title="recommended segments")
    return figure


def _arrows(axes, segmentation, segment, style, place, activations, height) -> None:
    """An arrow at the end of each bar, of the other sign at its foot.

    A signed latent belongs to one segment only.
    """
    colour, mark = style
    axes.plot([], [], color=colour, marker=mark, linestyle="none",
              label=plain_label(segmentation.labels[segment].text))  # fmt: skip
    for latent, sign in segmentation.latents(segment):
        if latent in place:
            x, value = place[latent], activations[latent]
            start = value if sign * value > 0 else 0.0
            tip = start + sign * height
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8}
            axes.annotate("", xy=(x, tip), xytext=(x, start), arrowprops=arrow)
            axes.plot(x, tip, color=colour, marker=mark, markersize=5)
            axes.plot(x, tip + sign * height / 2, alpha=0)  # keeps the arrow inside the axes


def plain_label(text: str) -> str:
    """A name for a legend: no mathematics, and shown even if it begins with "_"."""
    return "\u200b" + text.replace("$", r"\$")
