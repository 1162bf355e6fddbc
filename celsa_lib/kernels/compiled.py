"""Loops compiled by Numba, kept on disk where there is a place for them, and usable where not."""

import logging
from collections.abc import Callable
from contextlib import suppress

from numba import njit
from numba.core.caching import FunctionCache

log = logging.getLogger(__name__)


class _Kept(FunctionCache):
    """Machine code on disk; where it cannot be written, or not be read, it is compiled again."""

    def save_overload(self, sig, data):
        """See FunctionCache."""
        try:
            super().save_overload(sig, data)
        except OSError as error:  # a full disk, or a folder that has become unwritable
            log.debug("compiled code is not kept: %s", error)
        except Exception:  # the list of what is kept is damaged
            with suppress(OSError):
                self.flush()
                super().save_overload(sig, data)

    def load_overload(self, sig, target_context):
        """See FunctionCache."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # a damaged file raises any
            log.debug("compiled code is not read: %s", error)
            return None


def compiled(**options) -> Callable:
    """`numba.njit` with these options, and with its machine code kept.

    Numba's own `cache=True` raises RuntimeError where no folder can be written, and OSError where
    the disk is full.
    """

    def decorate(function: Callable):
        dispatcher = njit(**options)(function)
        try:
            dispatcher._cache = _Kept(function)
        except (RuntimeError, OSError) as error:  # no folder can be written
            log.debug("compiled code is not kept: %s", error)
        return dispatcher

    return decorate
