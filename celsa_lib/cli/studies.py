"""Commands that run whole comparisons: the studies of the book, user data, the verdicts."""

from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from celsa_lib.cli.base import Profile, TestFrom
from celsa_lib.cli.tables import Table, log_to_stderr, with_table
from celsa_lib.errors import ConfigError
from celsa_lib.files import check_writable, write_whole

PAGE_EVERY = 5.0  # seconds at least between two writings of a comparison's page


def study(
    name: Annotated[str, typer.Argument(help="A study; without it, all are listed.")] = "",
    profile: Annotated[
        str | None, typer.Option(help="smoke, laptop or paper; default: the stored one.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Run this method alone, as tables call it; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: results/NAME.json.")] = None,
) -> None:
    """Run a study whose results the book shows; rows that its file has already are kept."""
    from celsa_lib.experiments.catalogue import run_by_name

    if not name:
        _list_studies()
        return
    log_to_stderr()
    result = run_by_name(name, profile, tuple(method or ()), out)
    typer.echo(f"{len(result.rows)} rows, {result.manifest['seconds']:.0f} s")


def _list_studies() -> None:
    """A line per study: its data, how long a GPU would train, what it is about."""
    from celsa_lib.experiments.catalogue import OTHER_STUDIES
    from celsa_lib.experiments.studies import STUDIES
    from celsa_lib.experiments.work import SUSTAINED, gpu_minutes

    typer.echo(f"GPU: at least so many minutes of training at {SUSTAINED / 1e12:g} Tflop/s.")
    for name, found in STUDIES.items():
        on_gpu = f"GPU {gpu_minutes(name)} min"
        typer.echo(f"{name:24} {found.dataset}, {on_gpu}: {found.about}")
    for name, other in OTHER_STUDIES.items():
        typer.echo(f"{name:24} {other.dataset}: {other.about}")


def claims(
    results: Annotated[Path, typer.Option(help="Folder with stored results.")] = Path("results"),
    out: Annotated[Path | None, typer.Option(help="Default: claims.json beside them.")] = None,
) -> None:
    """Judge the paper's claims by the stored results; write claims.json."""
    from celsa_lib import report
    from celsa_lib.report.finding_list import FINDINGS

    _check_folder(results)
    judged, path = report.claims(results), out or results / "claims.json"
    if lost := judged.lost_beside(path):
        raise ConfigError(
            f"{len(lost)} claims have a verdict in {path} and none now, as {lost[0]}: a stored "
            f"result is missing from {results}, or its users' values; restore it, or delete {path}"
        )
    typer.echo(judged.counts().to_string(index=False))
    typer.echo(judged.write(path, report.claims(results, FINDINGS)))


def verify(
    name: Annotated[str, typer.Argument(help="A stored result; without it, all are checked.")] = "",
    results: Annotated[Path, typer.Option(help="Folder with stored results.")] = Path("results"),
) -> None:
    """Check stored results: every row by its digest, one row of each study by computing it again.

    Exit code 1 where a row was changed, or comes out differently. Minutes for all of them.
    """
    from celsa_lib.experiments.verify import verify as checked

    _check_folder(results)
    every = sorted(path for path in results.glob("*.json") if path.name != "claims.json")
    if not every:
        raise ConfigError(f"{results} holds no stored results; `celsa study NAME` makes one")
    holds = True
    for path in [results / f"{name}.json"] if name else every:
        typer.echo(f"{path.stem:24} ", nl=False)  # before what may take a minute
        one = checked(path)
        typer.echo(f"{one.rows:4} rows {state(one)}; {recomputation(one)}")
        holds = holds and one.holds
    if not holds:
        raise typer.Exit(1)


def _check_folder(results: Path) -> None:
    """Raise ConfigError unless there is a folder `results`."""
    if not results.is_dir():
        raise ConfigError(f"there is no folder {results}; name the one with stored results")


def state(one) -> str:
    """Whether the rows are as they were stored."""
    if one.changed:
        return f"{len(one.changed)} CHANGED"
    if one.altered:
        return "ADDED OR REMOVED, or another record"
    return "as stored" + (", in an older file without a digest of its own" if one.unsealed else "")


def recomputation(one) -> str:
    """What computing a row again gave, or why none was."""
    again = one.recomputed
    if again is None:
        return one.why_not
    return (
        f"{again.what}: stored {again.stored:.4f}, now {again.found:.4f}, "
        f"{'agrees' if again.agrees else 'DISAGREES'} (tolerance {again.tolerance:.4f})"
    )


@with_table
def compare(
    file: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet, a row per interaction.")],
    profile: Profile = "laptop",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 1,
    methods: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help='This method alone, as "Pruned EASE"; repeatable.'),
    ] = None,
    budgets: Annotated[
        list[int] | None,
        typer.Option(metavar="BYTES", help="Per item; repeatable. Default: 64 to 1024."),
    ] = None,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="With ELSA + SAE, and learning rates chosen: far longer."),
    ] = False,
    test_from: TestFrom = None,
    out: Annotated[Path | None, typer.Option(help="Page; default: FILE-report.html here.")] = None,
    *,
    table: Table,
) -> None:
    """Compare methods on your data: one HTML page, and its results as JSON beside it.

    The recommended setting comes first, and the page is written again as results come. A run that
    was cut off goes on from that JSON. With --time the models learn from before a date and are
    tested on what came after; else a fifth of each test user's history is hidden at a time.
    """
    from celsa_lib.experiments import Scope, compare_methods
    from celsa_lib.report.budgets import advice
    from celsa_lib.report.comparison import comparison_page

    page = page_path(file, out)
    log_to_stderr()
    check_writable(page, file, table.items)
    scope = Scope(thorough, tuple(methods or ()), tuple(budgets or ()), test_from)
    written = [0.0]

    def show(result, every: float = PAGE_EVERY) -> None:
        if result.rows and monotonic() - written[0] >= every:
            html = comparison_page(result)
            write_whole(page, lambda stream: stream.write(html.encode()))
            written[0] = monotonic()

    results = page.with_suffix(".json")
    result = compare_methods(file, results, profile, seeds, scope, show, **table.loading)
    show(result, every=0)
    typer.echo(" ".join(advice(result)))
    typer.echo(f"open {page}")


def page_path(file: Path, out: Path | None) -> Path:
    """`out`, or a name made of the data's. Raises ConfigError unless it is called .html."""
    page = out or Path(f"{Path(file.name.removesuffix('.gz')).stem}-report.html")
    if page.suffix != ".html":
        raise ConfigError(f"--out is {page}; the page is HTML, so give it a name in .html")
    return page
