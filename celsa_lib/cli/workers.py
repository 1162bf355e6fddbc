"""Training by several processes: started here by torch.distributed, or by torchrun."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from celsa_lib.errors import CelsaError, ProcessError

LAUNCHED = "TORCHELASTIC_RUN_ID"  # in the environment of what torchrun, or `start_workers`, starts
MOST_WORKERS = 1024
# Seconds in which whoever knows more may speak, and end this process, before it does: who watches
# over a lost one, and the first of all that have made the same mistake.
AFTER_A_LOSS, AFTER_THE_FIRST = 3, 10


def is_worker() -> bool:
    """Whether this process is one of several that train together."""
    return LAUNCHED in os.environ


def leads() -> bool:
    """Whether this process speaks for all that train together, or for itself."""
    return not is_worker() or os.environ.get("RANK") == "0"


def give_way(error: CelsaError) -> None:
    """Let another process say first what has happened: the first one, or who watches over them.

    It ends this one then.
    """
    if is_worker() and isinstance(error, ProcessError):
        time.sleep(AFTER_A_LOSS)
    elif not leads():
        time.sleep(AFTER_THE_FIRST)


@contextmanager
def joined() -> Iterator[None]:
    """Inside, this process is one of `torch.distributed`, with its share of the machine's cores."""
    import numba
    from torch import distributed, set_num_threads

    threads = max(1, numba.config.NUMBA_NUM_THREADS // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    numba.set_num_threads(threads)
    set_num_threads(threads)
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def start_workers(n: int) -> None:
    """Run the command of this process in `n` others, and end as they do.

    Raises ProcessError where one was killed: the others are ended then.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.ERROR)  # what torch would say of processes that have said it
    how = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=n, rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", local_addr="localhost", run_id=f"celsa-{os.getpid()}",
        max_restarts=0,
    )  # fmt: skip
    try:
        elastic_launch(how, sys.executable)("-m", "celsa_lib", *sys.argv[1:])
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        ended_here = -signal.SIGTERM  # by torch, because of the others
        rank = min(codes, key=lambda rank: (codes[rank] == ended_here, codes[rank]))
        if codes[rank] >= 0:
            raise typer.Exit(codes[rank]) from None  # it has said why
        name = signal.Signals(-codes[rank]).name
        raise ProcessError(
            f"process {rank} of {n} was ended by {name}, and so the others were; a training with "
            "--checkpoint goes on where it stood, also with another number of workers"
        ) from None
