"""Commands that run whole comparisons: the studies of the book, user data, the verdicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from celsa_lib.cli.base import Profile, log_to_stderr
from celsa_lib.errors import ConfigError
from celsa_lib.files import write_whole

SEGMENTS = "segments"  # the study of segments, and its file in results/


def study(
    name: Annotated[str, typer.Argument(help="Which; without it, the list.")] = "",
    profile: Annotated[str | None, typer.Option(help="By default the one that is stored.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default: results/NAME.json.")] = None,
) -> None:
    """Run a study whose results the book shows; what its file has already is kept."""
    from celsa_lib.experiments import STUDIES, run_study
    from celsa_lib.experiments.studies import stored_at

    others = _studies_of_their_own()
    if not name:
        _list_studies(others)
        return
    log_to_stderr()
    if name in STUDIES:
        result = run_study(name, profile, tuple(method or ()), out)
    elif name in others:
        if method:
            raise ConfigError(f"{name} has no methods to choose from; leave out --method")
        run, dataset, _ = others[name]
        path = out or stored_at(name, None if profile in (None, "laptop") else profile)
        result = run(dataset, profile or "laptop", path)
    else:
        known = ", ".join([*STUDIES, *others])
        raise ConfigError(f'unknown study "{name}"; choose one of {known}')
    typer.echo(f"{len(result.rows)} rows, {result.manifest['seconds']:.0f} s")


def _list_studies(others: dict[str, tuple]) -> None:
    """A line per study: its data, what it is about, how long a GPU would train."""
    from celsa_lib.experiments import STUDIES
    from celsa_lib.experiments.work import SUSTAINED, gpu_minutes

    typer.echo(f"GPU: at least so many minutes of training at {SUSTAINED / 1e12:g} Tflop/s.")
    for name, found in STUDIES.items():
        about = (found.make.__doc__ or "").splitlines()[0]
        typer.echo(f"{name:24} {found.dataset}, GPU {gpu_minutes(name)} min: {about}")
    for name, (_, dataset, about) in others.items():
        typer.echo(f"{name:24} {dataset}: {about}")


def _studies_of_their_own() -> dict[str, tuple]:
    """Studies whose rows are not methods: name → (run, dataset, about)."""
    from celsa_lib import experiments
    from celsa_lib.experiments.data_size import STORED_DATA_SIZE
    from celsa_lib.experiments.deviations import STORED_DEVIATIONS
    from celsa_lib.experiments.profiles import GOODBOOKS
    from celsa_lib.experiments.real_bytes import STORED_BYTES

    def segments(dataset: str, profile: str, out: Path):
        return experiments.run_segment_study(profile, out)

    deviations = "what each deviation of the released code changes"
    data = "with less to learn from, and on other users"
    real_bytes = "accuracy against the bytes of a file, in several codes"
    about = "segments, measured beside baselines"
    return {
        **{k: (experiments.run_deviations, v, deviations) for k, v in STORED_DEVIATIONS.items()},
        **{k: (experiments.run_data_size, v, data) for k, v in STORED_DATA_SIZE.items()},
        **{k: (experiments.run_real_bytes, v, real_bytes) for k, v in STORED_BYTES.items()},
        SEGMENTS: (segments, GOODBOOKS, about),
    }


def check_studies(names: Sequence[str]) -> None:
    """Raise ConfigError for a name of no study."""
    from celsa_lib.experiments import STUDIES

    known = [*STUDIES, *_studies_of_their_own()]
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f'unknown study "{unknown[0]}"; choose one of {", ".join(known)}')


def claims(
    results: Annotated[Path, typer.Option(help="Folder with stored results.")] = Path("results"),
    out: Annotated[Path | None, typer.Option(help="Default: claims.json beside them.")] = None,
) -> None:
    """Judge the paper's claims by the stored results; write claims.json."""
    from celsa_lib import report
    from celsa_lib.report.finding_list import FINDINGS

    if not results.is_dir():
        raise ConfigError(f"there is no folder {results}; name the one with stored results")
    judged, path = report.claims(results), out or results / "claims.json"
    if lost := judged.lost_beside(path):
        raise ConfigError(
            f"{len(lost)} claims have a verdict in {path} and none now, as {lost[0]}: a stored "
            f"result is missing from {results}, or its users' values; restore it, or delete {path}"
        )
    typer.echo(judged.counts().to_string(index=False))
    typer.echo(judged.write(path, report.claims(results, FINDINGS)))


def verify(
    name: Annotated[str, typer.Argument(help="Which stored result; without it, all.")] = "",
    results: Annotated[Path, typer.Option(help="Folder with stored results.")] = Path("results"),
) -> None:
    """Check stored results: every row by its digest, one row of each study by computing it again.

    Exit code 1 where a row was changed, or comes out differently. Minutes for all of them.
    """
    from celsa_lib.experiments.verify import verify as checked

    paths = [results / f"{name}.json"] if name else sorted(results.glob("*.json"))
    holds = True
    for path in paths:
        if path.name != "claims.json" or name:
            typer.echo(f"{path.stem:24} ", nl=False)  # before what may take a minute
            one = checked(path)
            typer.echo(f"{one.rows:4} rows {state(one)}; {recomputation(one)}")
            holds = holds and one.holds
    if not holds:
        raise typer.Exit(1)


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


def compare(
    file: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet, a row per interaction.")],
    user: Annotated[str, typer.Option(help="Column of user ids.")] = "user_id",
    item: Annotated[str, typer.Option(help="Column of item ids.")] = "item_id",
    value: Annotated[str | None, typer.Option(help="Column of ratings.")] = None,
    min_rating: Annotated[float | None, typer.Option(help="Lower ratings do not count.")] = None,
    min_user_interactions: Annotated[int, typer.Option(help="Users with fewer are dropped.")] = 5,
    separator: Annotated[
        str | None, typer.Option(help="Between fields, if not , ; tab or |.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="If not UTF-8, UTF-16 or cp1252.")] = None,
    header: Annotated[bool, typer.Option(help="Without, columns are called 1, 2, …")] = True,
    text_ids: Annotated[bool, typer.Option("--text-ids", help="Keep 7 and 8 as text.")] = False,
    profile: Profile = "laptop",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Page; default: FILE-report.html here.")] = None,
) -> None:
    """Compare all methods on your data: one HTML page, and its results as JSON beside it.

    A run that was cut off goes on from that JSON.
    """
    from celsa_lib.experiments import compare_methods
    from celsa_lib.report.budgets import advice
    from celsa_lib.report.comparison import comparison_page

    page = page_path(file, out)
    log_to_stderr()
    columns = {"user": user, "item": item, "value": value}
    rules = {"min_rating": min_rating, "min_user_interactions": min_user_interactions}
    layout = {"separator": separator, "encoding": encoding, "header": header, "text_ids": text_ids}
    usual = {"separator": None, "encoding": None, "header": True, "text_ids": False}
    rules |= {name: v for name, v in layout.items() if v != usual[name]}  # what is found is no rule
    result = compare_methods(file, page.with_suffix(".json"), profile, seeds, **columns, **rules)
    html = comparison_page(result)
    write_whole(page, lambda stream: stream.write(html.encode()))
    typer.echo(" ".join(advice(result)))
    typer.echo(f"open {page}")


def page_path(file: Path, out: Path | None) -> Path:
    """`out`, or a name made of the data's. Raises ConfigError unless it is called .html."""
    page = out or Path(f"{Path(file.name.removesuffix('.gz')).stem}-report.html")
    if page.suffix != ".html":
        raise ConfigError(f"--out is {page}; the page is HTML, so give it a name in .html")
    return page
