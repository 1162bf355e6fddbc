"""The command `celsa`: thin, everything it does is in the library."""

import typer

from celsa_lib.cli import data
from celsa_lib.cli.base import ErrorsInOneLine, ParameterPairs, from_home
from celsa_lib.cli.browsing import recommend, segments, similar
from celsa_lib.cli.doctor import doctor
from celsa_lib.cli.notebooks import book, run, sweep
from celsa_lib.cli.serving import load
from celsa_lib.cli.studies import claims, compare, study, verify
from celsa_lib.cli.training import evaluate, export, pack, train

__all__ = ["app"]

app = typer.Typer(
    cls=ErrorsInOneLine,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Sparse item embeddings learned from interactions: data, training, evaluation, the book.",
)
app.add_typer(data.app, name="data")
app.command(cls=ParameterPairs)(from_home(run))
of_embeddings = (train, evaluate, recommend, similar, segments, export, pack, load)
for command in (*of_embeddings, study, claims, verify, sweep, compare, book, doctor):
    app.command()(from_home(command))
