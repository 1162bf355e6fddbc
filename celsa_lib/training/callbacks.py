"""What may happen beside training: callbacks are called as a run goes on."""

from collections.abc import Callable

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.training.rows import Rows


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
