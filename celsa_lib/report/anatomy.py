"""Who is served by models of one size, in one figure."""

import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.report.style import colour, mark, new_figure, styled


def served_figure(by_popularity: pd.DataFrame, by_history: pd.DataFrame) -> Figure:
    """Nonzeros and recall@50 by fifths of the items, nDCG@100 by quarters of the users.

    The frames are those of `experiments.by_popularity` and `experiments.by_history`.
    """
    with new_figure(nrows=1, ncols=3, figsize=(9.6, 3.4)) as (figure, (spent, recall, history)):
        for label, lines in by_popularity.groupby("label", sort=False):
            look = {"color": colour(label), "marker": mark(label), "label": label}
            spent.plot(lines["part"], lines["nonzeros"], **look)
            recall.plot(lines["part"], lines["recall"], **look)
            users = by_history[by_history["label"] == label]
            history.plot(users["part"], users["ndcg@100"], **look)
        for axes in (spent, recall):
            parts = sorted(by_popularity["part"].unique())
            axes.set(xlabel="fifth of the items,\n1 the most popular", xticks=parts)
        spent.set(ylabel="nonzeros per item")
        recall.set(ylabel="recall@50 in this fifth")
        lengths = by_history.groupby("part")["length"].mean()
        history.set(xlabel="quarter of the users,\nby mean length of history", ylabel="nDCG@100")
        history.set_xticks(lengths.index, [f"{length:.0f}" for length in lengths])
    with styled():
        handles, labels = spent.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9.5)
    return figure
