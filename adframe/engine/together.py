"""What a training step needs where several processes train one network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from adframe.errors import TrainingError
from adframe.interfaces import Backbone, Method
from adframe.parallel.rows import maps_by_rows, sharing
from adframe.parallel.world import World

APART = 1e-3  # relative difference of weights that rounding on other devices does not explain
_patch = threading.Lock()
_users = set[object]()  # of the patch


def step_of(world: World) -> AbstractContextManager[None]:
    """Context manager for the code of a method: it shares the rows of the batch."""
    return nullcontext() if world.size == 1 else _shared(world)


@contextmanager
def _shared(world: World) -> Iterator[None]:
    """Share what a method marks, and every call of a backbone. Others call backbones as before."""
    user = object()
    with _patch:
        _users.add(user)
        Backbone.__call__ = _maps  # type: ignore[method-assign]
    try:
        with sharing(world):
            yield
    finally:
        with _patch:
            _users.remove(user)
            if not _users:
                del Backbone.__call__


def _maps(backbone: Backbone, images: Tensor, *args: Any, **kwargs: Any) -> list[Tensor]:
    call = partial(nn.Module.__call__, backbone)
    return maps_by_rows(backbone, lambda rows: call(rows, *args, **kwargs), images)


@torch.no_grad()
def check_agreement(method: Method, world: World) -> None:
    """Check that all processes hold the same weights and statistics.

    Raises:
        TrainingError: they do not: a row of the shared work depends on other rows.
    """
    if world.size == 1:
        return
    state = {
        name: value for name, value in method.state_dict().items() if value.is_floating_point()
    }
    sums = torch.stack([value.double().abs().sum() for value in state.values()])
    each = world.stack(sums)
    apart = (each - each[0]).abs().amax(0) > APART * each[0].abs().clamp(min=1e-12)
    if names := [name for name, differs in zip(state, apart.tolist(), strict=True) if differs]:
        raise TrainingError(
            f"the processes disagree about {names[0]}: what computes it treats the rows of a "
            "batch together; train with one process"
        )
