"""The hooks that a plugin may implement, in the order in which they are called.

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

#: The version of the plugin interface: hooks, base classes, and the values they exchange. A plugin
#: sets the version it is written for in a module attribute ``adframe_api``; another is refused.
API = 1


class Add(Protocol):
    """Type of the callback that ``adframe_register`` receives."""

    def __call__(self, kind: str, name: str, target: str | type, *, default: bool = False) -> None:
        """Register a component.

        ``target`` is an import string (``".losses:UniCLR"``, relative to the plugin's package, or
        absolute), imported only when a config names the component; or the class itself.
        ``default=True`` makes it what a config gets that does not mention the kind; two plugins
        that claim this for one kind are a conflict, as two that claim one name are.
        """


# --- once per process or call -------------------------------------------------------------------


@hookspec
def adframe_register(add: Add) -> None:
    """Register the components of the plugin; called once, before a config is validated."""


# --- during a run -------------------------------------------------------------------------------


@hookspec
def adframe_run_start(run: Run) -> None:
    """Called when a run is built and its folder exists, before training.

    In a resumed run, weights, ``run.epoch``, ``run.step`` and ``run.history`` are those of its
    checkpoint. The place to call ``run.attach(observer)`` with an object that implements the hooks
    below and keeps the state of this one run; a config attaches the observers that it names.
    """


@hookspec
def adframe_update(run: Run, group: str, metrics: Mapping[str, Tensor]) -> None:
    """Called after an optimiser step of ``group``; ``run.step`` batches came before this one.

    ``metrics`` holds detached 0-d tensors on the training device, ``loss`` among them. Reading
    one waits for the device: do so seldom.
    """


@hookspec
def adframe_epoch_end(run: Run, epoch: int) -> None:
    """Called after epoch ``epoch`` (1 is the first); ``run.epoch_metrics`` has its mean metrics.

    ``run.finish(reason)`` ends training now; the run is then evaluated.
    """


@hookspec
def adframe_progress(run: Run, done: int, total: int) -> None:
    """Called when ``done`` of ``total`` image views are scored; ``done`` is 0 at first.

    Called after training, and by ``adframe evaluate``, where ``adframe_run_start`` is not called.
    An image counts once for each view and shift that a scorer requests.
    """


@hookspec
def adframe_run_end(run: Run, report: Report) -> None:
    """Called when the run is evaluated and its folder is complete."""


def names() -> dict[str, Any]:
    """Hook specifications by name, in the order of this file."""
    return {name: value for name, value in globals().items() if name.startswith("adframe_")}
