"""`celsa data`: list, fetch, describe."""

import typer

import celsa_lib as cl
from celsa_lib.cli.base import DatasetName

app = typer.Typer(no_args_is_help=True, help="Datasets: list, fetch, describe.")


@app.command("list")
def list_all() -> None:
    """Name every dataset, with its paper's or publisher's terms."""
    for name in cl.datasets():
        typer.echo(f"{name:24} {cl.dataset_info(name).licence}")


@app.command()
def info(name: DatasetName) -> None:
    """Say what is known about a dataset (nothing is downloaded)."""
    for key, value in vars(cl.dataset_info(name)).items():
        typer.echo(f"{key}: {value}")


@app.command()
def fetch(name: DatasetName) -> None:
    """Get a dataset (CELSA_DATA, the cache, then download) and say what came."""
    dataset = cl.load_dataset(name)
    users, items = dataset.X.shape
    typer.echo(f"{name}: {users:,} users × {items:,} items, {dataset.X.nnz:,} interactions")
    typer.echo(f"from {dataset.source}")
