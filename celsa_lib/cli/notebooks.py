"""Commands that run notebooks: one, a grid of them, the book."""

from pathlib import Path
from typing import Annotated

import typer

from celsa_lib.cli.base import Profile
from celsa_lib.errors import ConfigError
from celsa_lib.files import alone_with


def run(
    notebook: Annotated[str, typer.Argument(help="A notebook's path, or its name in notebooks/.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Set one; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option(help="A file, or a folder.")] = Path("build/run"),
) -> None:
    """Run a notebook with parameters: celsa run movielens -p dataset ml-1m."""
    from celsa_lib.book import check_parameters, notebook_path, run_notebook

    given = dict(pair(text) for text in parameter or [])
    path = notebook_path(notebook)
    target = output if output.suffix and not output.is_dir() else output / path.name
    parameters = check_parameters(path, given)
    with alone_with(target):
        run_notebook(path, target, parameters, cwd=Path.cwd())
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
    from celsa_lib.workflow import Workflow, load_sweep, runs_of, sweep_lines

    if cores is None and profile is None:
        cores = usable_cores()
    plan = load_sweep(file)
    workflow = Workflow(Path.cwd(), out, runs_of(plan, Path.cwd(), out), plan.threads)
    pending = workflow.pending()
    for line in sweep_lines(workflow.runs, pending, plan.threads, cores):
        typer.echo(line)
    if pending and not dry_run:
        workflow.run(cores, profile)


def book(
    profile: Profile = "laptop",
    root: Annotated[Path, typer.Option(help="Folder with _toc.yml.")] = Path("."),
    cores: Annotated[int | None, typer.Option(min=1, help="Default: all of this machine.")] = None,
    studies: Annotated[
        list[str] | None,
        typer.Option("--study", help="Continue this stored study first (hours); repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    graph: Annotated[
        bool, typer.Option("--graph", help="Only print the graph, for Graphviz.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as one file; needs Chromium.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve it on this machine, until Ctrl-C.")
    ] = False,
) -> None:
    """Run the notebooks that are missing or changed, build the book, print the page to open."""
    from celsa_lib.book import build_pdf
    from celsa_lib.experiments.catalogue import check_study
    from celsa_lib.experiments.manifest import usable_cores
    from celsa_lib.workflow import PAGE, book_workflow

    root, cores = root.resolve(), cores or usable_cores()
    for name in studies or ():
        check_study(name)
    workflow = book_workflow(root, profile, cores, studies or ())
    if graph:
        typer.echo(workflow.graph())
        return
    pending = workflow.pending()
    for run in workflow.runs if dry_run else ():
        typer.echo(f"{run.notebook}: {'would run' if run.target in pending else 'up to date'}")
    for name in studies or ():
        typer.echo(f"study {name}: is continued first")
    typer.echo(f"{len(pending)} of {len(workflow.runs)} notebooks are missing or changed.")
    _tell_older_results(root)
    if dry_run:
        return
    workflow.run(cores)
    typer.echo(f"open {root / PAGE}")
    if pdf:
        typer.echo(f"open {build_pdf(root)}")
    if serve:
        _serve((root / PAGE).parent)


def _serve(folder: Path) -> None:
    """Serve a built book. Ctrl-C is how it ends, no failure."""
    from celsa_lib.book import book_server, served_at

    with book_server(folder) as server:
        typer.echo(f"open {served_at(server)} (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")  # the prompt begins a line of its own


def _tell_older_results(root: Path) -> None:
    """Stored results are shown as they are: which the code of today did not make."""
    from celsa_lib.workflow import older_results

    older = older_results(root)
    if older:
        named = ", ".join(f"{name} ({number} commits)" for name, number in older.items())
        typer.echo(f"Stored results older than the code that makes them: {named}.")
        typer.echo("`celsa study NAME` continues one; `celsa verify` says if they still hold.")
