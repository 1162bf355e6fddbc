"""What is done where a GPU's memory is too short: in whatever words its libraries say so."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

Found = TypeVar("Found")
OF_LIBRARIES = "out of memory", "ALLOC_FAILED"  # of the driver, and of the workspace of products


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch, the driver or a library of products found no room on a GPU."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in OF_LIBRARIES)


def where_it_fits(compute: Callable[[], Found], what: str = "scoring") -> Found | None:
    """What `compute` gives; None, for a CPU to do it, where a GPU has no room for it.

    what: the work as the log names it.
    """
    try:
        return compute()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).splitlines()[0]
    log.warning("%s on the CPU, as the GPU has no room: %s", what, reason)
    return None
