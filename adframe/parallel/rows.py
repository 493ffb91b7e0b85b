"""Work on rows of images that the processes share; every process gets the whole result.

What a method computes outside of ``by_rows`` and outside of its backbone, each process computes for
the whole batch. So a loss sees all rows, and its gradient is the same in every process. A process
passes the part for its rows back through the network. The gradient
of a weight is the sum over the processes. It is summed where the weight enters the shared work, so
what the same weight does elsewhere, as in a penalty, counts once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from adframe.parallel.whole import WholeBatch
from adframe.parallel.world import ALONE, World
from adframe.random import RandomKeys

T = TypeVar("T")


class _State(threading.local):
    """What the current thread does.

    Attributes:
        world: the processes that share work; one if nothing is shared.
        inside: whether the current function works on the rows of this process.
    """

    world: World = ALONE
    inside = False


_state = _State()


def current() -> World:
    """The processes that share what is computed now: one outside of ``sharing``, and inside of
    ``by_rows``, where each has its own rows.
    """
    return ALONE if _state.inside else _state.world


@contextmanager
def sharing(world: World) -> Iterator[None]:
    """Context manager in which ``by_rows`` shares rows among processes."""
    before, _state.world = _state.world, world
    try:
        yield
    finally:
        _state.world = before


@contextmanager
def own_rows() -> Iterator[None]:
    """Context manager in which this process works on its rows, and shares nothing."""
    _state.inside = True
    try:
        yield
    finally:
        _state.inside = False


def by_rows(module: nn.Module, function: Callable[..., T], *rows: Tensor | RandomKeys) -> T:
    """Compute a function of rows, such as images, that treats each row separately.

    With several processes in ``sharing``, each computes its share of the rows. Batch normalisation
    and dropout are as over all rows.

    Args:
        module: has all parameters that the function uses.
        function: takes ``rows`` or fewer of them; returns tensors with one row for each, in lists,
            tuples and dictionaries.
        rows: tensors (N, ...) and keys of N rows.

    Returns:
        What the function returns for all rows.

    Raises:
        UserError: the function draws random numbers that are not of its rows.
    """
    made, world = _worked(module, function, rows)
    return cast(T, _whole(world, made, len(rows[0]))) if world is not None else made


def maps_by_rows(
    module: nn.Module, function: Callable[[Tensor], list[Tensor]], images: Tensor
) -> list[Tensor]:
    """The same for a list of feature maps; each is gathered when it is first read."""
    made, world = _worked(module, function, (images,))
    return made if world is None else _Gathered(world, made, len(images))


def _worked(
    module: nn.Module, function: Callable[..., T], rows: Sequence[Tensor | RandomKeys]
) -> tuple[T, World | None]:
    """What a function returns for the rows of this process, and the world if others have more."""
    world, count = current(), len(rows[0])
    if world.size == 1 or count < world.size:
        return function(*rows), None
    keys = {row: row.take(world.share(count)) for row in rows if isinstance(row, RandomKeys)}
    own = [keys[row] if isinstance(row, RandomKeys) else _own(world, row) for row in rows]
    with own_rows(), _entered(module, world), WholeBatch(world, count):
        made = function(*own)
    for whole, taken in keys.items():
        whole.continue_after(taken)
    return made, world


class _Gathered(list[Tensor]):
    """Feature maps of all rows, gathered when they are read; C code that skips this sees None."""

    def __init__(self, world: World, own: Sequence[Tensor], count: int) -> None:
        super().__init__([None] * len(own))  # type: ignore[list-item]
        self._world, self._own, self._count = world, own, count
        self._known: dict[int, Tensor] = {}

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place = range(len(self))[index]
        if place not in self._known:
            self._known[place] = _whole(self._world, self._own[place], self._count)
        return self._known[place]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[place] for place in range(len(self)))


def _own(world: World, rows: Tensor) -> Tensor:
    """The rows of this process."""
    if rows.requires_grad and torch.is_grad_enabled():
        taken: Tensor = _Take.apply(rows, world)
        return taken
    return rows[world.share(len(rows))]


def _whole(world: World, made: Any, count: int) -> Any:
    """The rows of all processes of each tensor in a result."""
    if isinstance(made, dict):
        return {name: _whole(world, value, count) for name, value in made.items()}
    if isinstance(made, list | tuple):
        return type(made)(_whole(world, value, count) for value in made)
    return _Gather.apply(made, world, count)


@contextmanager
def _entered(module: nn.Module, world: World) -> Iterator[None]:
    """Let trained parameters enter the work of this process; their gradients are then summed."""
    places = [
        (part._parameters, name, parameter)
        for part in module.modules()
        for name, parameter in part._parameters.items()
        if parameter is not None and parameter.requires_grad and torch.is_grad_enabled()
    ]
    shared: dict[Tensor, Any] = {of: entered(of, world) for _, _, of in places}
    try:
        for parameters, name, parameter in places:
            parameters[name] = shared[parameter]
        yield
    finally:
        for parameters, name, parameter in places:
            parameters[name] = parameter


def entered(values: Tensor, world: World) -> Tensor:
    """A tensor that all processes have, as it enters the work of this one: gradients are summed."""
    if not (values.requires_grad and torch.is_grad_enabled()):
        return values
    same: Tensor = _Enter.apply(values, world)
    return same


class _Take(torch.autograd.Function):
    """The rows of this process; the gradient of the whole is gathered."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, world: World) -> Tensor:
        ctx.world, ctx.count = world, len(rows)
        return rows[world.share(len(rows))].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.world.gather(pull, ctx.count), None


class _Gather(torch.autograd.Function):
    """The rows of all processes; a process gets the gradient of its rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, world: World, count: int) -> Tensor:
        ctx.part = world.share(count)
        if rows.ndim == 0 or len(rows) != ctx.part.stop - ctx.part.start:
            raise ValueError("by_rows: the function must return one row for each that it gets")
        return world.gather(rows, count)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        return pull[ctx.part], None, None


class _Enter(torch.autograd.Function):
    """A parameter as it is; its gradient is the sum over the processes."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, world: World) -> Tensor:
        ctx.world = world
        return parameter.view_as(parameter)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.world.reduce(pull), None
