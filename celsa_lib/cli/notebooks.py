"""Commands that run notebooks: one, a grid of them, the book."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from celsa_lib.cli.base import Profile
from celsa_lib.errors import ConfigError


def run(
    notebook: Annotated[str, typer.Argument(help="A notebook's path, or its name in notebooks/.")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Set one.")
    ] = None,
    output: Annotated[Path, typer.Option(help="A file, or a folder.")] = Path("build/run"),
) -> None:
    """Run a notebook with parameters: celsa run movielens -p dataset ml-1m."""
    from celsa_lib.book import check_parameters, notebook_path, run_notebook

    given = dict(pair(text) for text in parameter or [])
    path = notebook_path(notebook)
    target = output if output.suffix and not output.is_dir() else output / path.name
    run_notebook(path, target, check_parameters(path, given), cwd=Path.cwd())
    typer.echo(target)


def pair(text: str) -> tuple[str, str]:
    """("a", "1") from "a=1". Raises ConfigError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f'-p takes a name and a value, got only "{text}"')
    return name, value


def sweep(
    file: Annotated[Path, typer.Argument(help="A sweep, .toml or .json.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    cores: Annotated[int | None, typer.Option(min=1, help="Default: all of this machine.")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Folder of a Snakemake profile, for a cluster.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where notebooks and records go.")] = Path(
        "build/sweep"
    ),
) -> None:
    """Run a notebook over a grid of parameters; only what is missing or changed."""
    from celsa_lib.experiments.manifest import usable_cores
    from celsa_lib.sweeps import load_sweep, make_plan, plan_lines, run_plan

    if cores is None and profile is None:
        cores = usable_cores()
    plan = make_plan(load_sweep(file), Path.cwd(), out, fetch=not dry_run)
    for line in plan_lines(plan, cores):
        typer.echo(line)
    if not dry_run:
        run_plan(plan, out, cores, profile)


def book(
    profile: Profile = "laptop",
    root: Annotated[Path, typer.Option(help="Folder with _toc.yml.")] = Path("."),
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as one file; needs Chromium.")] = False,
) -> None:
    """Run the notebooks, build the book, print the page to open."""
    from celsa_lib.book import build_book, build_pdf

    logging.basicConfig(level=logging.WARNING)
    typer.echo(f"open {build_book(root.resolve(), profile, typer.echo)}")
    if pdf:
        typer.echo(f"open {build_pdf(root.resolve())}")
