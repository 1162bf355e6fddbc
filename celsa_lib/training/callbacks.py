"""What may happen beside training: callbacks are called as a run goes on."""

from collections.abc import Callable, Sequence

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import ConfigError
from celsa_lib.training.rows import Rows
from celsa_lib.training.shard import Shard


class Callback:
    """Hooks of a `Run`; a callback overrides those it needs."""

    def begin(self, run) -> None:
        """Before the first stage; `run` may be put where an earlier one stood."""

    def epoch(self, entry: dict, rows: Rows) -> None:
        """After an epoch: its `entry` of the history, to which it may add, and the rows."""

    def pause(self, run) -> None:
        """After an epoch, when `run` could go on from its `state`."""

    def end(self, run) -> None:
        """After the last stage."""


class Validation(Callback):
    """Notes `measure(ItemEmbeddings)` as "validation" in the history after each epoch."""

    def __init__(self, measure: Callable[[ItemEmbeddings], float]):
        self.measure = measure

    def epoch(self, entry: dict, rows: Rows) -> None:
        """See Callback."""
        embeddings = ItemEmbeddings(rows.to_csr(), input_scales=rows.input_scales())
        entry["validation"] = float(self.measure(embeddings))


def check_callbacks(callbacks: Sequence[Callback], shard: Shard) -> None:
    """Raise ConfigError for callbacks that look at rows, of which several processes have parts."""
    looking = [type(one) for one in callbacks if type(one).epoch is not Callback.epoch]
    if shard.group.size > 1 and looking:
        raise ConfigError(
            f"{looking[0].__name__} looks at the rows after each epoch, and no process has all of "
            "them; train in one process, or look at the model at the end"
        )
