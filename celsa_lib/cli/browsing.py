"""Commands that show what embeddings know: recommendations, similar items and segments."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import celsa_lib as cl
from celsa_lib.cli.base import (
    AnyEmbeddingsFile,
    EmbeddingsFile,
    Source,
    load_embeddings,
)
from celsa_lib.cli.serving import (
    AskedEngine,
    EngineAddress,
    EngineFolder,
    EngineTable,
    OnlyItems,
    WithoutItems,
    asked,
)
from celsa_lib.cli.tables import Table, log_to_stderr, with_table
from celsa_lib.errors import ConfigError
from celsa_lib.files import check_writable
from celsa_lib.segments.defaults import PAPER_MODEL, TAU

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from celsa_lib.segments import Describer

ANSWERS = "celsa-answers.jsonl"
WRITERS = {".csv": "to_csv", ".npz": "save"}  # methods of a segmentation
SHOWN_TITLES, SHOWN_ITEMS = 2, 5  # shown of a segment
LABEL_WIDTH, TITLE_WIDTH, LINE_WIDTH = 44, 30, 80  # characters


@with_table
def recommend(
    embeddings: AnyEmbeddingsFile,
    dataset: Source,
    titles: Annotated[
        list[str] | None,
        typer.Argument(help="Titles that were liked, parts of them, or ids of items."),
    ] = None,
    of_user: Annotated[
        str | None, typer.Option("--for", metavar="USER", help="A user of the data, by id.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Length of the list.")] = 10,
    only: OnlyItems = None,
    without: WithoutItems = None,
    engine: AskedEngine = None,
    path: EngineFolder = None,
    address: EngineAddress = None,
    rows_called: EngineTable = None,
    *,
    table: Table,
) -> None:
    """Recommend by title, or for a user: celsa recommend emb.npz ml-100k "Toy Story" "Alien".

    What was liked, or what the user chose, is left out of the list. With --from
    an engine finds it by the rows that it holds.
    """
    from celsa_lib.conditions import chosen_items
    from celsa_lib.titles import history_of, history_of_user, recommended

    if bool(titles) == (of_user is not None):
        raise ConfigError("say what was liked, as titles or ids, or name a user by --for")
    model, loaded = load_embeddings(embeddings, dataset, table, packed=True)
    liked = history_of(loaded, titles) if titles else history_of_user(loaded, of_user)
    chosen = chosen_items(loaded, only, without)
    with asked(engine, model, loaded.items, path, address, rows_called) as answers:
        found = recommended(answers, loaded, liked, n, **chosen)
    for title, score in found.itertuples(index=False):
        typer.echo(f"{score:6.3f}  {short(title, LINE_WIDTH)}")


@with_table
def similar(
    embeddings: AnyEmbeddingsFile,
    dataset: Source,
    title: Annotated[str, typer.Argument(help="A title, a part of it, or an id.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Length of the list.")] = 10,
    only: OnlyItems = None,
    without: WithoutItems = None,
    engine: AskedEngine = None,
    path: EngineFolder = None,
    address: EngineAddress = None,
    rows_called: EngineTable = None,
    *,
    table: Table,
) -> None:
    """Items nearest to one, by the cosine of their rows: celsa similar emb.npz ml-100k "Alien".

    With --from an engine finds them by the rows that it holds.
    """
    from celsa_lib.conditions import chosen_items
    from celsa_lib.titles import similar_to_title

    model, loaded = load_embeddings(embeddings, dataset, table, packed=True)
    chosen = chosen_items(loaded, only, without)
    with asked(engine, model, loaded.items, path, address, rows_called) as answers:
        found = similar_to_title(answers, loaded, title, n, **chosen)
    for other, cosine in found.itertuples(index=False):
        typer.echo(f"{cosine:6.3f}  {short(other, LINE_WIDTH)}")


@with_table
def segments(
    embeddings: EmbeddingsFile,
    dataset: Source,
    out: Annotated[
        Path | None, typer.Option(help="A .csv, a row per item, or an .npz for Python.")
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(
            help=f"Groups merge where their names have a higher cosine; default: {TAU}, and no "
            "merge for rows of the recommended recipe."
        ),
    ] = None,
    names: Annotated[
        str,
        typer.Option(
            help="tf-idf; chat, by OPENAI_BASE_URL and OPENAI_API_KEY; or a file of stored answers."
        ),
    ] = "tf-idf",
    model: Annotated[
        str | None, typer.Option(help=f"For chat; default: the paper's, {PAPER_MODEL}.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help=f"For chat: where answers are kept; default: {ANSWERS}.")
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="TITLE", help="Show the segments for who likes this; repeatable."),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Segments shown.")] = 5,
    *,
    table: Table,
) -> None:
    """Group items into named segments: celsa segments emb.npz ml-100k --like "Toy Story".

    Shown are the segments whose items were chosen most, or with --like those recommended and the
    best items in each. Groups with one name are told apart: "Drama like Philadelphia".
    """
    from celsa_lib.segments import ChatDescriber
    from celsa_lib.titles import history_of

    check_suffix(out)
    if out is not None:
        check_writable(out, embeddings, dataset, table.items)
    describer = describer_by(names, model, cache)
    log_to_stderr()
    found, loaded = load_embeddings(embeddings, dataset, table)
    history = history_of(loaded, like) if like else None
    segmentation = cl.segment_items(found, loaded.items, tau, describer)
    if isinstance(describer, ChatDescriber):
        typer.echo(f"asked {describer.model}: {describer.total}")
    alone = sum(len(members) == 1 for members in segmentation.members)
    counted = f"{len(segmentation.of_item):,} items in {len(segmentation):,} segments"
    typer.echo(f"{counted}, {alone:,} of them with one item" if alone else counted)
    if history is None:
        lines = most_chosen_lines(segmentation, loaded.X, n)
    else:
        lines = lines_for(segmentation, history, n)
    for line in lines:
        typer.echo(line)
    if out is not None:
        typer.echo(getattr(segmentation, WRITERS[out.suffix])(out))


def check_suffix(out: Path | None) -> None:
    """Raise ConfigError for a file whose name does not say what to write."""
    if out is not None and out.suffix not in WRITERS:
        raise ConfigError(f"--out is {out}; give it a name in {' or '.join(WRITERS)}")


def describer_by(names: str, model: str | None, cache: Path | None) -> "Describer":
    """The describer that --names asks for. Raises ConfigError, StorageError."""
    from celsa_lib.segments import AnswerCache, ChatDescriber, ReplayDescriber, TfidfDescriber

    if names == "chat":
        answers = AnswerCache(cache or ANSWERS)
        return ChatDescriber(TfidfDescriber(), answers, model or PAPER_MODEL)
    if model is not None or cache is not None:
        raise ConfigError("--model and --cache go with --names chat; leave them out")
    if names == "tf-idf":
        return TfidfDescriber()
    if not Path(names).expanduser().is_file():
        raise ConfigError(f'--names is tf-idf, chat or a file, and there is no file "{names}"')
    return ReplayDescriber(AnswerCache(names), TfidfDescriber())


def most_chosen_lines(segmentation: "cl.Segmentation", X: "csr_matrix", n: int) -> Iterator[str]:
    """A line for each of the `n` segments with most interactions in X (users × items): number,
    items, interactions, label, typical titles.
    """
    yield f"segment items  chosen  {'label':{LABEL_WIDTH}}  typical titles"
    chosen = segmentation.chosen(X)
    for number in (-chosen).argsort(kind="stable")[:n]:
        titles = segmentation.titles[segmentation.typical(number, SHOWN_TITLES)]
        shown = "; ".join(short(title, TITLE_WIDTH) for title in titles)
        label = short(segmentation.labels[number].text, LABEL_WIDTH)
        size = len(segmentation.members[number])
        yield f"{number:7} {size:5} {chosen[number]:7,.0f}  {label:{LABEL_WIDTH}}  {shown}"


def lines_for(segmentation: "cl.Segmentation", history: "csr_matrix", n: int) -> Iterator[str]:
    """The `n` best segments for `history` (1 × items): a line each, then a line for each item."""
    rows = segmentation.rows(history, n, SHOWN_ITEMS)
    for _, part in rows.groupby("segment", sort=False):
        yield f"{part['segment score'].iloc[0]:6.3f}  {short(part['label'].iloc[0], LINE_WIDTH)}"
        for title, score in zip(part["title"], part["score"], strict=True):
            yield f"        {score:6.3f}  {short(title, LINE_WIDTH)}"


def short(text: str, length: int) -> str:
    """`text` as a terminal can show it: no control characters, at most `length` others."""
    from celsa_lib.segments.naming.prompt import plain

    shown = plain(text, len(text))
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"
