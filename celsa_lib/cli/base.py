"""What the commands share: errors in one line, arguments, what is said on the way."""

import os
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

import celsa_lib as cl
from celsa_lib.cli.tables import Table
from celsa_lib.cli.workers import give_way
from celsa_lib.errors import CelsaError, ConfigError, DataError

NTest = Annotated[int | None, typer.Option(help="Test users; default: as in `celsa data info`.")]
SplitSeed = Annotated[int, typer.Option(help="Seed of the split of users.")]
TestFrom = Annotated[
    str | None,
    typer.Option(
        metavar="DATE", help="With --time: where the test begins. Default: a fifth is later."
    ),
]
Profile = Annotated[str, typer.Option(help="smoke, laptop or paper.")]
DatasetName = Annotated[str, typer.Argument(help="A name from `celsa data list`.")]
Source = Annotated[
    str,
    typer.Argument(metavar="DATASET", help="A name from `celsa data list`, or a file of your own."),
]
EmbeddingsFile = Annotated[Path, typer.Argument(help="A file from `celsa train`.")]
AnyEmbeddingsFile = Annotated[
    Path, typer.Argument(metavar="EMBEDDINGS", help="A file from `celsa train` or `celsa pack`.")
]


SAID = 200  # letters of what the system says
LESS = "free memory, or ask for less: a smaller width or batch, fewer methods"


class ErrorsInOneLine(TyperGroup):
    """A CelsaError becomes one red line on stderr and exit code 1; anything else stays a bug.

    So does what the system refuses, such as a line for a full disk or a closed terminal.
    """

    def main(self, *args, **kwargs):
        """Run the command and end the process."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            _say_last(f"celsa: the system refuses: {visible(str(error))}\n")
            sys.exit(1)

    def invoke(self, ctx):
        """Run the command. What a terminal cannot show is replaced, not an error."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except CelsaError as error:
            give_way(error)
            warn(f"celsa: {visible(str(error))}", typer.colors.RED)
            raise typer.Exit(1) from None
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            warn(f"celsa: out of memory: {visible(str(error))[:SAID]}; {LESS}", typer.colors.RED)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("celsa: stopped", err=True)
            raise typer.Exit(130) from None


def lacks_memory(error: Exception) -> bool:
    """Whether memory was asked for in vain: PyTorch has a RuntimeError for it."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "allocate memory" in said or "out of memory" in said


def _say_last(text: str) -> None:
    """`text` on stderr where that is possible; what Python would still write at its end is lost."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def from_home(command: Callable) -> Callable:
    """`command` with ~ in its paths read as the shell would, which does not after a =."""

    @wraps(command)
    def run(*args, **given):
        paths = {k: v.expanduser() for k, v in given.items() if isinstance(v, Path)}
        return command(*args, **given | paths)

    return run


def warn(text: str, colour: str) -> None:
    """A line on stderr, in colour unless NO_COLOR is set (no-color.org)."""
    typer.secho(text, fg=None if os.environ.get("NO_COLOR") else colour, err=True)


def visible(text: str) -> str:
    """`text` with a blank for each control character: a terminal would obey them."""
    return "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)


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
        is_pair = len(rest) > 1 and "=" not in rest[0] and not rest[1].startswith("--")
        if word in ("-p", "--parameter") and is_pair:
            joined.append(f"{rest.pop(0)}={rest.pop(0)}")
    return joined


def load_embeddings(
    path: Path, source: str, table: Table, packed: bool = False
) -> tuple["cl.ItemEmbeddings | cl.PackedEmbeddings", "cl.Dataset"]:
    """Embeddings, and the data `source` with its items in the order of theirs.

    A file is read as `table` says or, where it says nothing, as it was for training.

    `packed`: whether they may be. Raises ConfigError if not, or if the two have other items.
    """
    stored = read_embeddings(path, packed)
    if "loading" in stored.about and source in cl.datasets():
        raise ConfigError(
            f"{path} was trained on {stored.about.get('dataset')}, not on {source}; give that file"
        )
    if "loading" in stored.about:
        table = table.beyond(Table.stored(stored.about["loading"], path))
    dataset = table.open(source)
    try:
        return stored, dataset.in_order_of(stored.item_ids)
    except DataError as error:
        raise ConfigError(
            f"{path} has other items than {dataset.name}; train on this dataset, read it as it was "
            "read for training, or name the rows when fitting: fit(X, item_ids=data.item_ids)"
        ) from error


def read_embeddings(path: Path, packed: bool) -> "cl.ItemEmbeddings | cl.PackedEmbeddings":
    """A file from `celsa train`, or from `celsa pack` where it may be `packed`, as the file says.

    Raises StorageError for another file, ConfigError for one that is packed and may not be.
    """
    from celsa_lib.embeddings import open_embeddings

    stored = open_embeddings(path)
    if isinstance(stored, cl.PackedEmbeddings) and not packed:
        raise ConfigError(
            f"{path} is packed, and its values are rounded; name the file that it was packed from"
        )
    return stored
