"""Whether this process may run parallel loops: one that was forked from threads may not."""

import os

import numba

from celsa_lib.errors import ProcessError

_lost: list[str] = []  # the layer of threads that a fork has left behind


def _note() -> None:
    """In a forked child: remember that its parent ran loops by GNU OpenMP, which forbids more."""
    try:
        layer = numba.threading_layer()
    except ValueError:  # no loop has run, so this process starts threads of its own
        return
    if layer == "omp":
        _lost.append(layer)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)


def check_threads() -> None:
    """Raise ProcessError where a parallel loop would end this process, or wait for ever."""
    if _lost:
        raise ProcessError(
            "this process was forked from one that has trained or recommended, and its threads do "
            'not survive a fork; start it by multiprocessing.get_context("spawn")'
        )
