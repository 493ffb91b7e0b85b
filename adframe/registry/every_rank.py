"""Hooks that are called in every process of a run, not in the first only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def every_rank(function: F) -> F:
    """Mark a hook to be called in every process of a run that ``torchrun`` starts.

    Other hooks are called in the first process only. Mark a hook that changes how the network is
    trained, and nothing else: it must do the same in each process. Write it above ``@hookimpl``.
    """
    function.every_rank = True  # type: ignore[attr-defined]
    return function


class OnEveryRank:
    """Calls only the marked implementations of hooks.

    Args:
        hook: the hooks of a plugin manager.
    """

    def __init__(self, hook: Any) -> None:
        self._hook = hook

    def __getattr__(self, name: str) -> Callable[..., None]:
        return partial(self._call, getattr(self._hook, name))

    def _call(self, caller: Any, **given: Any) -> None:
        for found in reversed(caller.get_hookimpls()):
            if getattr(found.function, "every_rank", False):
                found.function(*(given[name] for name in found.argnames))
