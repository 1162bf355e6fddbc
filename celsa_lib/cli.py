"""The command `celsa`: thin, everything it does is in the library."""

import logging
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

import celsa_lib as cl
from celsa_lib.errors import CelsaError, ConfigError
from celsa_lib.files import write_whole


class ErrorsInOneLine(TyperGroup):
    """A CelsaError becomes one red line on stderr and exit code 1; anything else stays a bug."""

    def invoke(self, ctx):
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CelsaError as error:
            typer.secho(f"celsa: {error}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from None


class ParameterPairs(TyperCommand):
    """`-p NAME VALUE` for each parameter."""

    def parse_args(self, ctx, args):
        """Join each name to its value, so that one option takes both."""
        return super().parse_args(ctx, join_pairs(args))


def join_pairs(args: list[str]) -> list[str]:
    """["-p", "a", "1"] → ["-p", "a=1"]; other arguments stay."""
    joined, rest = [], list(args)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word in ("-p", "--parameter") and len(rest) > 1 and "=" not in rest[0]:
            joined.append(f"{rest.pop(0)}={rest.pop(0)}")
    return joined


app = typer.Typer(
    cls=ErrorsInOneLine,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Sparse item embeddings learned from interactions: data, training, evaluation, the book.",
)
data_app = typer.Typer(no_args_is_help=True, help="Datasets: list, fetch, describe.")
app.add_typer(data_app, name="data")

SEGMENTS = "segments"  # the study of segments, and its file in results/

Seed = Annotated[int, typer.Option(help="Seed of training.")]
SplitSeed = Annotated[int, typer.Option(help="Seed of the split of users.")]
NTest = Annotated[int | None, typer.Option(help="Test users; by default the laptop profile's.")]
Profile = Annotated[str, typer.Option(help="smoke, laptop or paper.")]
DatasetName = Annotated[str, typer.Argument(help="A name from `celsa data list`.")]
EmbeddingsFile = Annotated[Path, typer.Argument(help="A file from `celsa train`.")]


@data_app.command("list")
def data_list() -> None:
    """Name every dataset, with its paper's or publisher's terms."""
    for name in cl.datasets():
        typer.echo(f"{name:24} {cl.dataset_info(name).licence}")


@data_app.command("info")
def data_info(name: DatasetName) -> None:
    """Say what is known about a dataset (nothing is downloaded)."""
    for key, value in vars(cl.dataset_info(name)).items():
        typer.echo(f"{key}: {value}")


@data_app.command("fetch")
def data_fetch(name: DatasetName) -> None:
    """Get a dataset (CELSA_DATA, the cache, then download) and say what came."""
    dataset = cl.load_dataset(name)
    users, items = dataset.X.shape
    typer.echo(f"{name}: {users:,} users × {items:,} items, {dataset.X.nnz:,} interactions")
    typer.echo(f"from {dataset.source}")


@app.command(cls=ParameterPairs)
def run(
    notebook: Annotated[str, typer.Argument(help="A notebook's path, or its name in notebooks/.")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Set one.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Default: build/run/<notebook>.")] = None,
) -> None:
    """Run a notebook with parameters: celsa run movielens -p dataset ml-1m."""
    from celsa_lib.book import check_parameters, notebook_path, run_notebook

    given = dict(pair(text) for text in parameter or [])
    path = notebook_path(notebook)
    target = output or Path("build/run") / path.name
    run_notebook(path, target, check_parameters(path, given), cwd=Path.cwd())
    typer.echo(target)


def pair(text: str) -> tuple[str, str]:
    """("a", "1") from "a=1". Raises ConfigError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f'-p takes a name and a value, got only "{text}"')
    return name, value


@app.command()
def train(
    dataset: DatasetName,
    out: Annotated[Path, typer.Option(help="Where to write the embeddings (.npz).")],
    width: Annotated[int, typer.Option(help="Latent dimensions.")] = 1024,
    nnz: Annotated[int | None, typer.Option(help="Nonzeros per item; dense ELSA without.")] = None,
    schedule: Annotated[str, typer.Option(help="How nnz falls.")] = "exponential",
    epochs: Annotated[int, typer.Option(help="Epochs a stage.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Users a batch.")] = 1024,
    learning_rate: Annotated[float, typer.Option(help="NAdam's.")] = 0.1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    n_test: NTest = None,
    split_seed: SplitSeed = 42,
    seed: Seed = 0,
) -> None:
    """Train Compressed ELSA (or dense ELSA) on all but the test users; write its embeddings."""
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    options |= {"seed": seed, "device": device}
    model = cl.ELSA(width, **options)
    if nnz is not None:
        model = cl.CompressedELSA(width, nnz, schedule, **options)
    loaded = cl.load_dataset(dataset)
    model.fit(users_of(loaded, n_test, split_seed).train)
    embeddings = cl.ItemEmbeddings(model.item_embeddings.matrix, loaded.item_ids)
    typer.echo(f"{embeddings.save(out)}: {embeddings.bytes_per_item} B per item")


def users_of(dataset: cl.Dataset, n_test: int | None, split_seed: int) -> cl.Split:
    """The split that `train` and `evaluate` share."""
    from celsa_lib.experiments import settings_for

    if n_test is None:
        n_test = settings_for("laptop", dataset.name).n_test
    return cl.split_users(dataset.X, n_test, seed=split_seed)


def load_embeddings(path: Path, dataset: cl.Dataset) -> cl.ItemEmbeddings:
    """Embeddings in the dataset's item order. Raises ConfigError if they are of other items."""
    embeddings = cl.ItemEmbeddings.load(path)
    if list(map(str, embeddings.item_ids)) != list(map(str, dataset.item_ids)):
        raise ConfigError(f"{path} has other items than {dataset.name}; train on this dataset")
    return embeddings


@app.command()
def evaluate(
    embeddings: EmbeddingsFile,
    dataset: DatasetName,
    n_test: NTest = None,
    split_seed: SplitSeed = 42,
) -> None:
    """nDCG@100 and Recall@20/50 on the test users that `celsa train` left out."""
    loaded = cl.load_dataset(dataset)
    model = load_embeddings(embeddings, loaded)
    test = users_of(loaded, n_test, split_seed).test
    result = cl.evaluate(model, cl.holdout_folds(test))
    for name, value in result.mean.items():
        typer.echo(f"{name:10} {value:.4f} ± {result.stderr[name]:.4f}")
    typer.echo(f"{test.shape[0]} users, 5 disjoint folds, {model.bytes_per_item} B per item")


@app.command()
def recommend(
    embeddings: EmbeddingsFile,
    dataset: DatasetName,
    titles: Annotated[list[str], typer.Argument(help="Titles that were liked, or parts of them.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Length of the list.")] = 10,
) -> None:
    """Recommend by title: celsa recommend emb.npz ml-100k "Toy Story" "Alien (1979)"."""
    from celsa_lib.experiments import recommend_by_title

    loaded = cl.load_dataset(dataset)
    found = recommend_by_title(load_embeddings(embeddings, loaded), loaded, titles, n)
    for title, score in found.itertuples(index=False):
        typer.echo(f"{score:6.3f}  {title}")


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="Which; without it, the list.")] = "",
    profile: Annotated[str | None, typer.Option(help="By default the one that is stored.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default: results/NAME.json.")] = None,
) -> None:
    """Run a study whose results the book shows; what its file has already is kept."""
    from celsa_lib.experiments import STUDIES, run_deviations, run_segment_study, run_study
    from celsa_lib.experiments.deviations import STORED

    if not name:
        for key, found in STUDIES.items():
            about = (found.make.__doc__ or "").splitlines()[0]
            typer.echo(f"{key:24} {found.dataset}: {about}")
        for key, dataset in STORED.items():
            typer.echo(f"{key:24} {dataset}: what each habit of the released code changes")
        typer.echo(f"{SEGMENTS:24} goodbooks-10k-partial: segments, measured beside baselines")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if method and (name in STORED or name == SEGMENTS):
        raise ConfigError(f"{name} has no methods to choose from; leave out --method")
    usual = out or Path("results") / f"{name}.json"
    if name in STORED:
        result = run_deviations(STORED[name], profile or "laptop", usual)
    elif name == SEGMENTS:
        result = run_segment_study(profile or "laptop", usual)
    else:
        result = run_study(name, profile, tuple(method or ()), out)
    typer.echo(f"{len(result.rows)} rows, {result.manifest['seconds']:.0f} s")


@app.command()
def claims(
    results: Annotated[Path, typer.Option(help="Folder with stored results.")] = Path("results"),
) -> None:
    """Judge the paper's claims by the stored results; write claims.json beside them."""
    from celsa_lib import report

    if not results.is_dir():
        raise ConfigError(f"there is no folder {results}; name the one with stored results")
    entries = report.ledger(results)
    typer.echo(report.verdict_counts(entries).to_string(index=False))
    typer.echo(report.write_ledger(results / "claims.json", entries))


@app.command()
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


@app.command()
def compare(
    file: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet, a row an interaction.")],
    user: Annotated[str, typer.Option(help="Column of user ids.")] = "user_id",
    item: Annotated[str, typer.Option(help="Column of item ids.")] = "item_id",
    value: Annotated[str | None, typer.Option(help="Column of ratings.")] = None,
    min_rating: Annotated[float | None, typer.Option(help="Lower ratings do not count.")] = None,
    min_user_interactions: Annotated[int, typer.Option(help="Users with fewer are dropped.")] = 5,
    profile: Profile = "laptop",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Page; default: FILE-report.html here.")] = None,
) -> None:
    """Compare all methods on your own data: one HTML page, and its results as JSON beside it.

    A run that was cut off goes on from that JSON.
    """
    from celsa_lib import report
    from celsa_lib.experiments import compare_methods

    page = page_path(file, out)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    columns = {"user": user, "item": item, "value": value}
    rules = {"min_rating": min_rating, "min_user_interactions": min_user_interactions}
    result = compare_methods(file, page.with_suffix(".json"), profile, seeds, **columns, **rules)
    html = report.comparison_page(result, report.paired_table(result, "Compressed ELSA"))
    write_whole(page, lambda stream: stream.write(html.encode()))
    typer.echo(" ".join(report.advice(report.shares_of(result), report.reference_of(result))))
    typer.echo(f"open {page}")


def page_path(file: Path, out: Path | None) -> Path:
    """`out`, or a name made of the data's. Raises ConfigError unless it is called .html."""
    page = out or Path(f"{Path(file.name.removesuffix('.gz')).stem}-report.html")
    if page.suffix != ".html":
        raise ConfigError(f"--out is {page}; the page is HTML, so give it a name in .html")
    return page


@app.command()
def book(
    profile: Profile = "laptop",
    root: Annotated[Path, typer.Option(help="Folder with _toc.yml.")] = Path("."),
) -> None:
    """Run the notebooks, build the book, print the page to open."""
    from celsa_lib.book import build_book

    logging.basicConfig(level=logging.WARNING)
    typer.echo(f"open {build_book(root.resolve(), profile, typer.echo)}")
