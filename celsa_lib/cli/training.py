"""Commands that make embeddings, measure them and hand them on."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

import celsa_lib as cl
from celsa_lib.cli.base import (
    AnyEmbeddingsFile,
    EmbeddingsFile,
    NTest,
    Source,
    SplitSeed,
    TestFrom,
    load_embeddings,
    read_embeddings,
    warn,
)
from celsa_lib.cli.tables import Table, with_table
from celsa_lib.cli.workers import MOST_WORKERS, is_worker, joined, leads, start_workers
from celsa_lib.errors import ConfigError, check_count
from celsa_lib.files import check_writable

DEFAULT_SEED = 42
SCALED_QUERY = (
    "ask with the sum of the user's rows, each divided by its length and multiplied by its "
    "input_scale"
)


@with_table
def train(
    dataset: Source,
    out: Annotated[Path, typer.Option(help="Where to write the embeddings (.npz).")],
    recipe: Annotated[
        str, typer.Option(help="recommended, or paper: the procedure of the paper.")
    ] = "recommended",
    nnz: Annotated[
        int | None, typer.Option(help="Nonzeros per item; without it, dense ELSA is trained.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Latent dimensions.")] = None,
    schedule: Annotated[
        str, typer.Option(help="Pruning schedule of recipe paper.")
    ] = "exponential",
    epochs: Annotated[
        int | None, typer.Option(help="Epochs (recipe paper: at the final nnz).")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Users per batch.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Learning rate of NAdam.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    n_test: NTest = None,
    split_seed: SplitSeed = DEFAULT_SEED,
    test_from: TestFrom = None,
    seed: Annotated[int, typer.Option(help="Seed of training.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the items' rows; on CPUs.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A file from which a killed training goes on.")
    ] = None,
    *,
    table: Table,
) -> None:
    """Train Compressed ELSA (or dense ELSA) on all but the test users; write its embeddings.

    What is left out follows from the recipe and the data. Your own file:
    celsa train mine.csv --user customer --item product --nnz 16 --out emb.npz

    With --time, only what other users chose before a date is learned from.

    --workers 2 trains in two processes, of which each has half of the rows. On several
    machines: torchrun … -m celsa_lib train …, on each the same command.
    """
    check_writable(out, dataset, table.items)
    if checkpoint is not None:
        check_writable(checkpoint, dataset, table.items, out)
    check_count(most=MOST_WORKERS, workers=1 if workers is None else workers)
    if (workers or 1) > 1 and not is_worker():
        start_workers(workers)
        return
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    options |= {"recipe": recipe, "seed": seed, "device": device}
    if checkpoint is not None:
        from celsa_lib.training import Checkpoint

        options["callbacks"] = [Checkpoint(checkpoint)]
    if workers is not None or is_worker():
        options["backend"] = "sharded"
    model = cl.ELSA(1024 if width is None else width, **options)
    if nnz is not None:
        model = cl.CompressedELSA(width, nnz, schedule, **options)
    loaded = table.open(dataset)
    split = split_of(loaded, n_test, split_seed, test_from)
    with joined() if is_worker() else nullcontext():
        model.fit(split.train, loaded.item_ids)
    if not leads():
        return
    about = {"dataset": loaded.name, "checksum": loaded.checksum}
    about |= {"n_test": len(split.test_rows), "split_seed": split_seed}
    if isinstance(split, cl.TimeSplit):
        about["test_from"] = split.start
    if table != Table():
        about["loading"] = table.loading
    embeddings = model.item_embeddings
    embeddings.about |= about
    typer.echo(f"{embeddings.save(out)}: {embeddings.bytes_per_item} B per item")


def split_of(
    dataset: "cl.Dataset", n_test: int | None, split_seed: int, test_from: str | None = None
) -> "cl.Split | cl.TimeSplit":
    """The split that `train` and `evaluate` share: by time where the data has times. Of a file of
    one's own, a tenth are test users, 50 to 2,500. Raises CelsaError.
    """
    if dataset.times is not None:
        return cl.split_by_time(dataset.X, dataset.times, n_test, test_from, split_seed)
    if test_from is not None:
        raise ConfigError(
            f"the test is to begin at {test_from}, and nothing says when interactions took place; "
            "name the column by --time"
        )
    if n_test is None and dataset.name in cl.datasets():
        n_test = cl.dataset_info(dataset.name).test_users
    elif n_test is None:
        from celsa_lib.split import usual_test_users

        n_test = usual_test_users(dataset.X.shape[0])
    return cl.split_users(dataset.X, n_test, seed=split_seed)


def left_out(path: Path, about: dict, dataset: "cl.Dataset", given: dict) -> dict:
    """n_test, split_seed and test_from of what training left out: `about` first, then `given`.

    Says so if it is not known. Raises ConfigError if `about` has other data or another split.
    """
    if not {"dataset", "checksum", "n_test", "split_seed"} <= about.keys():
        warning = f"celsa: {path} does not say who its test users were; these may have trained it"
        warn(warning, typer.colors.YELLOW)
        seed = given["split_seed"]
        return given | {"split_seed": DEFAULT_SEED if seed is None else seed}
    if about["checksum"] != dataset.checksum:
        raise ConfigError(
            f"{path} was trained on {about['dataset']} with checksum {about['checksum'][:12]}…, "
            f"not on this {dataset.name} ({dataset.checksum[:12]}…); evaluate it on that data"
        )
    for option, value in given.items():
        if value not in (None, about.get(option)):
            raise ConfigError(
                f"{path} was trained with {option} {about.get(option)}, not {value}; to test on "
                f"what training left out, leave out --{option.replace('_', '-')}"
            )
    known = {option: about.get(option) for option in given}
    if (known["test_from"] is None) != (dataset.times is None):
        before = known["test_from"] and f"on what came before {known['test_from']}"
        raise ConfigError(
            f"{path} was trained {before or 'without regard to time'}; to test on what training "
            "left out, read the file in the same way: leave out its options"
        )
    return known


@with_table
def evaluate(
    embeddings: AnyEmbeddingsFile,
    dataset: Source,
    n_test: NTest = None,
    split_seed: Annotated[int | None, typer.Option(help="Seed of the split of users.")] = None,
    test_from: TestFrom = None,
    *,
    table: Table,
) -> None:
    """nDCG@100 and Recall@20/50 on the test users that `celsa train` left out.

    EMBEDDINGS says who they are, and from which date on where training was with --time; --n-test,
    --split-seed and --test-from are for files that do not.
    """
    model, loaded = load_embeddings(embeddings, dataset, table, packed=True)
    given = {"n_test": n_test, "split_seed": split_seed, "test_from": test_from}
    split = split_of(loaded, **left_out(embeddings, model.about, loaded, given))
    by_time = isinstance(split, cl.TimeSplit)
    result = cl.evaluate(model, split.folds if by_time else cl.holdout_folds(split.test))
    for name, value in result.mean.items():
        typer.echo(f"{name:10} {value:.4f} ± {result.stderr[name]:.4f}")
    how = f"what they chose from {split.start} on" if by_time else "5 disjoint folds"
    size = round(model.bytes_per_item, 1)
    typer.echo(f"{len(split.test_rows)} users, {how}, {size} B per item")


@with_table
def export(
    embeddings: EmbeddingsFile,
    dataset: Source,
    form: Annotated[str, typer.Option("--format", help="parquet, jsonl or csr.")],
    out: Annotated[Path, typer.Option(help="Where to write.")],
    non_negative: Annotated[
        bool, typer.Option("--non-negative", help="For engines that take no negative weights.")
    ] = False,
    *,
    table: Table,
) -> None:
    """Write sparse embeddings for a vector database or a search engine.

    parquet   columns item_id, title, indices, values
    jsonl     a line per item, with id, title, indices, values
    csr       the matrix alone, for scipy.sparse.load_npz

    Rows are in the order of EMBEDDINGS; an item's indices ascend.

    Rows of the recommended recipe come with an input_scale per item: a column, a
    field, or an array of the .npz. The query is then the sum of the user's rows,
    each divided by its length and multiplied by its input_scale.

    --non-negative splits each latent l in two: 2·l for values above zero,
    2·l + 1 for those below. The dot product of two split vectors lacks the terms
    in which their signs differ, so the order it gives is only nearly right.
    Fetch more candidates than needed, and rank them again by the signed rows.
    """
    from celsa_lib.retrieval import check_format, export_rows, split_signs

    check_format(form)
    check_writable(out, embeddings, dataset, table.items)
    found, loaded = load_embeddings(embeddings, dataset, table)
    rows = split_signs(found.matrix) if non_negative else found.matrix
    export_rows(rows, loaded.items, form, out, found.input_scales)
    typer.echo(f"{out}: {rows.shape[0]:,} items × {rows.shape[1]:,}, {rows.nnz:,} nonzeros")
    if found.input_scales is not None:
        typer.echo(SCALED_QUERY)


def pack(
    embeddings: EmbeddingsFile,
    out: Annotated[Path, typer.Option(help="Where to write.")],
    bits: Annotated[int, typer.Option(help="Bits per value: 8, 4 or 3.")] = 4,
) -> None:
    """Write compressed embeddings, quantised and bit-packed; they are scored from the file.

    `celsa evaluate` and `celsa recommend` read it; in Python,
    celsa_lib.PackedEmbeddings.load(OUT).recommend(X, n).
    """
    from celsa_lib.retrieval import csr_bytes_per_item

    check_writable(out, embeddings)
    found = read_embeddings(embeddings, packed=False)
    packed = found.pack(bits)
    packed.save(out)
    plain = csr_bytes_per_item(found.matrix, found.input_scales)
    typer.echo(f"{out}: {packed.bytes_per_item:.1f} B per item, {plain:.1f} in memory unpacked")
