"""`celsa data`: list, fetch, describe."""

from typing import TYPE_CHECKING

import typer

import celsa_lib as cl
from celsa_lib.cli.base import DatasetName
from celsa_lib.errors import DatasetNotFoundError

if TYPE_CHECKING:
    from celsa_lib.data import DatasetInfo

app = typer.Typer(no_args_is_help=True, help="Datasets: list, fetch, describe.")


@app.command("list")
def list_all() -> None:
    """Every dataset: whether it is here, its size, title, and its publisher's terms."""
    from celsa_lib.data.download import data_root

    data_root()  # a folder that does not exist is said once, not once per dataset
    for name in cl.datasets():
        about = cl.dataset_info(name)
        size = f"{about.users:,} users × {about.items:,} items"
        if about.ratings:
            size += f", {about.ratings:,} ratings"
        typer.echo(f"{name:24} {where(about):10}  {size}")
        typer.echo(f"{'':24} {about.title}; licence: {about.licence}")


def where(about: "DatasetInfo") -> str:
    """Whether a dataset is here, in two words at most; nothing is downloaded."""
    from celsa_lib.data import locate

    if not about.forms:
        return "generated"
    try:
        return "here" if locate(about.name) else "not here"
    except DatasetNotFoundError:
        return "incomplete"


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
