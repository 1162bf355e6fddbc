"""Personas: a few popular items of a genre. They stand in for users, of whom none is shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MOST_PERSONAS, ITEMS_EACH = 8, 4


@dataclass(frozen=True)
class Persona:
    """A genre and the positions of its items, the most popular first."""

    name: str
    items: list[int]


def personas(items: pd.DataFrame, popularity: np.ndarray) -> list[Persona]:
    """One for each of the most popular genres, in that order; none where there are no genres.

    `popularity` (n_items,) is in the order of `items`. An item counts for each of its genres in
    equal parts, so that items of one genre alone come first, and stands in one persona.
    """
    if "genres" not in items:
        return []
    genres = items["genres"].fillna("").str.split("|")
    long = pd.DataFrame(
        {
            "genre": genres.to_numpy(),
            "item": np.arange(len(items)),
            "weight": popularity / genres.str.len().to_numpy(),
        }
    )
    long = long.explode("genre")
    long = long[long["genre"] != ""]
    largest = long.groupby("genre")["weight"].sum().sort_values(ascending=False, kind="stable")
    found, taken = [], set()
    for genre in largest.index[:MOST_PERSONAS]:
        members = long[(long["genre"] == genre) & ~long["item"].isin(taken)]
        members = members.sort_values("weight", ascending=False, kind="stable")
        best = members["item"].head(ITEMS_EACH)
        taken |= set(best)
        found.append(Persona(genre[:1].upper() + genre[1:], best.tolist()))
    return found
