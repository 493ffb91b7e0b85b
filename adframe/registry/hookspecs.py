"""The hooks a plugin may implement: the whole extension surface, in the order they are called.

A plugin is a module (or object) with functions of these names, each marked ``@hookimpl``
(``from adframe import hookimpl``). It may take fewer arguments than listed, never others.
Hooks during a run are called in the process that trains; an exception in one ends the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from adframe.interfaces.run import Report, Run

hookspec = pluggy.HookspecMarker("adframe")
hookimpl = pluggy.HookimplMarker("adframe")

#: The version of this surface: hooks, base classes, what passes between them. A plugin says which
#: one it is written for with a module attribute ``adframe_api``, and is refused by another.
API = 1


class Add(Protocol):
    """The callback ``adframe_register`` receives."""

    def __call__(self, kind: str, name: str, target: str | type, *, default: bool = False) -> None:
        """Offer a component.

        ``target`` is an import string (``".losses:UniCLR"``, relative to the plugin's package, or
        absolute), imported only when a config names the component; or the class itself.
        ``default=True`` makes it what a config gets that does not mention the kind; two plugins
        that claim this for one kind are a conflict, as two that claim one name are.
        """


# --- once per process or call -------------------------------------------------------------------


@hookspec
def adframe_register(add: Add) -> None:
    """Say which components the plugin brings; called once, before anything is validated."""


# --- during a run -------------------------------------------------------------------------------


@hookspec
def adframe_run_start(run: Run) -> None:
    """A run is assembled and its folder exists; nothing has been trained yet.

    The place to open a log, or to call ``run.attach(observer)`` with an object that implements
    the hooks below and keeps the state of this one run. Its ``close()``, if it has one, is called
    when the run is over, however it ends.
    """


@hookspec
def adframe_update(run: Run, group: str, metrics: Mapping[str, Tensor]) -> None:
    """One optimiser step of ``group`` was taken; ``run.step`` batches came before this one.

    ``metrics`` holds detached 0-d tensors on the training device, ``loss`` among them. Reading
    one waits for the device: do so seldom.
    """


@hookspec
def adframe_epoch_end(run: Run, epoch: int) -> None:
    """Epoch number ``epoch`` (1 is the first) is complete; ``run.epoch_metrics`` has its means."""


@hookspec
def adframe_progress(run: Run, done: int, total: int) -> None:
    """``done`` of ``total`` image views were scored; the first call has ``done`` 0.

    Called after training, and by ``adframe evaluate``, where ``adframe_run_start`` is not called.
    An image counts once for each view and shift that a scorer asks for.
    """


@hookspec
def adframe_run_end(run: Run, report: Report) -> None:
    """The run is evaluated and its folder is whole."""


def names() -> dict[str, Any]:
    """Every hook by name, in the order of this file."""
    return {name: value for name, value in globals().items() if name.startswith("adframe_")}
