"""Garbage collection while a command starts: what modules make is no garbage."""

from __future__ import annotations

import gc
from typing import Any

#: Objects that a command may make before the first collection. ``import torch`` makes 300,000, and
#: the collections that they cause take a tenth of its time.
AT_START = 400_000


def delay_first_collection() -> None:
    """Let the process make ``AT_START`` objects before the first collection; it is then as before.

    Does nothing where the collector is off, or was set by somebody else.
    """
    before = gc.get_threshold()
    if not gc.isenabled() or not 0 < before[0] < AT_START:
        return

    def restore(phase: str, info: dict[str, Any]) -> None:
        gc.set_threshold(*before)
        gc.callbacks.remove(restore)

    gc.callbacks.append(restore)
    gc.set_threshold(AT_START, *before[1:])
