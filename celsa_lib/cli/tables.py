"""What a command learns from: a data set by its name, or anyone's file of interactions."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated

import typer

import celsa_lib as cl
from celsa_lib.cli.workers import leads
from celsa_lib.errors import ConfigError, StorageError

PANEL = "If it is a file of your own"
# Options that are part of what is known of a file only where they are given.
AS_GIVEN = ("separator", "encoding", "header", "text_ids", "items", "time")


def _option(help_: str, *names: str):
    return typer.Option(*names, help=help_, rich_help_panel=PANEL)


OPTIONS = {
    "user": Annotated[str, _option("Column of user ids.")],
    "item": Annotated[str, _option("Column of item ids.")],
    "value": Annotated[str | None, _option("Column of ratings.")],
    "min_rating": Annotated[float | None, _option("Lower ratings do not count.")],
    "min_user_interactions": Annotated[int, _option("Users with fewer are dropped.")],
    "items": Annotated[
        Path | None, _option("A file with a row per item: the same column of ids, and title.")
    ],
    "separator": Annotated[str | None, _option("Between fields, if not , ; tab or |.")],
    "encoding": Annotated[str | None, _option("If not UTF-8, UTF-16 or cp1252.")],
    "header": Annotated[bool, _option("Without, columns are called 1, 2, …")],
    "text_ids": Annotated[bool, _option("Keep 7 and 8 as text.", "--text-ids")],
    "time": Annotated[
        str | None, _option("Column of dates or Unix times: test on what came after a date.")
    ],
}


@dataclass(frozen=True)
class Table:
    """How a file of interactions is read: see `celsa_lib.load_interactions`."""

    user: str = "user_id"
    item: str = "item_id"
    value: str | None = None
    min_rating: float | None = None
    min_user_interactions: int = 5
    items: Path | None = None
    separator: str | None = None
    encoding: str | None = None
    header: bool = True
    text_ids: bool = False
    time: str | None = None

    @classmethod
    def stored(cls, loading, path: Path) -> "Table":
        """The options that `path` says its data was read with. Raises StorageError for others."""
        known = {field.name for field in fields(cls)}
        if not isinstance(loading, dict) or not loading.keys() <= known:
            raise StorageError(
                f"{path} says in a way that this version does not know how its data was read; name "
                "the columns of the file yourself"
            )
        return cls(**loading)

    def beyond(self, other: "Table") -> "Table":
        """`other`, but for the options that are given here."""
        usual = asdict(Table())
        return replace(other, **{k: v for k, v in asdict(self).items() if v != usual[k]})

    @property
    def loading(self) -> dict:
        """Options of `load_interactions`; of AS_GIVEN those that are not as usual."""
        usual = asdict(Table())
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(self).items()
            if name not in AS_GIVEN or value != usual[name]
        }

    def open(self, name: str) -> "cl.Dataset":
        """The data set `name`, or the file. Raises CelsaError, also for options without a file."""
        if name in cl.datasets():
            if self != Table():
                raise ConfigError(
                    f"{name} is a data set of `celsa data list`, and columns are named for a file "
                    "of your own; leave the options out, or give the file's path"
                )
            return cl.load_dataset(name)
        path = Path(name).expanduser()
        if not path.exists():
            raise ConfigError(
                f'"{name}" is no data set of `celsa data list`, and there is no such file; check '
                "the name or the path"
            )
        if self.items is not None and not Path(self.items).expanduser().exists():
            beside = path.parent / Path(self.items).name  # as seen from where training ran
            if beside.exists():
                return replace(self, items=beside).open(name)
        if leads():
            log_to_stderr()  # users, items and columns, so that a wrong one is seen
        return cl.load_interactions(path, **self.loading)


def log_to_stderr() -> None:
    """Show what the library logs while a command runs; of other packages, warnings only."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("celsa_lib").setLevel(logging.INFO)


def with_table(command: Callable) -> Callable:
    """Give a command the options of a Table, which it takes as `table`."""
    own = [p for name, p in signature(command).parameters.items() if name != "table"]
    of_table = [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=OPTIONS[f.name])
        for f in fields(Table)
    ]

    @wraps(command)
    def run(**given):
        table = Table(**{f.name: given.pop(f.name) for f in fields(Table)})
        return command(**given, table=table)

    run.__signature__ = signature(command).replace(parameters=[*own, *of_table])
    run.__annotations__ = {p.name: p.annotation for p in (*own, *of_table)}
    return run
