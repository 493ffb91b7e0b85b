"""Keeps global state of the process, which belongs to the program that calls adframe."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from adframe.registry.process_state import unchanged


@contextmanager
def kept(who: str = "a component") -> Iterator[None]:
    """Restore the global random generators and the settings of the process after this context.

    Args:
        who: named in the warning that a setting was changed; drawing is no reason to warn.
    """
    python, arrays = random.getstate(), np.random.get_state()
    initialised: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if initialised else ()
    try:
        with torch.random.fork_rng(devices), unchanged(who):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
