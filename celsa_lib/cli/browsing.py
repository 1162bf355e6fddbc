"""Commands that show what embeddings know: recommendations and segments."""

from typing import Annotated

import typer

from celsa_lib.cli.base import DatasetName, EmbeddingsFile, load_embeddings


def recommend(
    embeddings: EmbeddingsFile,
    dataset: DatasetName,
    titles: Annotated[list[str], typer.Argument(help="Titles that were liked, or parts of them.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Length of the list.")] = 10,
) -> None:
    """Recommend by title: celsa recommend emb.npz ml-100k "Toy Story" "Alien (1979)"."""
    from celsa_lib.experiments import recommend_by_title

    model, loaded = load_embeddings(embeddings, dataset)
    for title, score in recommend_by_title(model, loaded, titles, n).itertuples(index=False):
        typer.echo(f"{score:6.3f}  {title}")
