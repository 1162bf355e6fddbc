"""Personas: a few popular items of a genre. They stand in for users, of whom none is shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MOST_PERSONAS, ITEMS_EACH = 8, 4
BOOK_PERSONAS = {  # ids of well-known books; Goodbooks-10k comes without genres
    "Epic fantasy": (19, 39, 330, 192),  # The Fellowship of the Ring, A Game of Thrones, …
    "Science fiction": (126, 276, 70, 400),  # Dune, Foundation, Ender's Game, Neuromancer
    "Whodunits": (200, 672, 1410, 618),  # And Then There Were None, …, Baskervilles
    "Horror": (72, 176, 305, 97),  # The Shining, It, Pet Sematary, Dracula
    "Classics": (10, 43, 63, 160),  # Pride and Prejudice, Jane Eyre, …, Great Expectations
    "Comics": (191, 365, 766, 568),  # Watchmen, V for Vendetta, The Sandman, Batman
    "Picture books": (102, 296, 339, 85),  # Where the Wild Things Are, …, The Giving Tree
    "Big ideas": (92, 193, 408, 619),  # Freakonomics, Outliers, Guns Germs and Steel, …
}


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


def book_personas(items: pd.DataFrame) -> list[Persona]:
    """BOOK_PERSONAS as positions in `items`, which is indexed by book id."""
    position = {int(item): place for place, item in enumerate(items.index)}
    return [Persona(name, [position[book] for book in ids]) for name, ids in BOOK_PERSONAS.items()]
