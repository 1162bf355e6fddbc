"""What a checkpoint says of a run, checked before the run goes on from it; the arrays of rows."""

from typing import NotRequired

import numpy as np
from typing_extensions import TypedDict

from celsa_lib.training.plan import Plan
from celsa_lib.training.rows import Rows
from celsa_lib.typed import checked

ROW_PARTS = ("values", "cols", "starts", "scales", "mean")


class StoredEpoch(TypedDict):
    """An entry of a history; callbacks may have added to it."""

    nnz: float
    loss: float
    active: float
    backend: str


class StoredOptimiser(TypedDict):
    """Numbers of a `Nadam`."""

    steps: int
    product: float


class StoredState(TypedDict):
    """Where a run stands."""

    node: int
    epochs: int
    histories: list[list[StoredEpoch]]
    optimiser: NotRequired[StoredOptimiser]


def require_state(plain: dict, plan: Plan) -> None:
    """Raise ValueError unless a run through `plan` can stand there."""
    checked(StoredState, plain)
    node, epochs = plain["node"], plain["epochs"]
    done = [len(history) for history in plain["histories"]]
    stages = [one.stage.epochs for one in plan.nodes]
    under_way = [epochs] if node < len(stages) else []
    if not 0 <= node <= len(stages) or done[: node + 1] != [*stages[:node], *under_way]:
        raise ValueError("epochs that are not those of the stages")
    if len(done) != len(stages) or any(done[node + 1 :]):
        raise ValueError("epochs of stages that have not begun")
    if ("optimiser" in plain) != (epochs > 0):
        raise ValueError("an optimiser that does not go with the epochs")


def arrays_of_rows(name: str, rows: Rows) -> dict[str, np.ndarray]:
    """The parts of `rows` as arrays, by `name` and part; the columns of full rows are not kept."""
    parts = {part: getattr(rows, part) for part in ROW_PARTS}
    if rows.starts is None and rows.nnz == rows.width:
        del parts["cols"]
    return {
        f"{name} {part}": tensor.cpu().numpy()
        for part, tensor in parts.items()
        if tensor is not None
    }
