"""What became of signed rows in engines, from the stored benchmark."""

import pandas as pd

from celsa_lib.report.cost import section
from celsa_lib.results import Result


def engines_table(result: Result) -> pd.DataFrame:
    """A line per engine: by rows and way, the outcome with the recall where it is not 1."""
    rows = section(result, "engines")
    cells = rows.apply(_cell, axis=1)
    columns = rows["what"] + ", " + rows["way"]
    table = pd.crosstab(rows["contender"], columns, cells, aggfunc="first")
    table = table.reindex(index=rows["contender"].unique(), columns=columns.unique())
    return table.fillna("–").rename_axis("engine").rename_axis(None, axis=1).reset_index()


def _cell(row: pd.Series) -> str:
    """exact, refused, or another outcome with its recall@10."""
    plain = row["outcome"] in ("exact", "refused")
    return row["outcome"] if plain else f"{row['outcome']}, {row['value']:.2f}"
