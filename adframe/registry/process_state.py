"""Restores settings of the whole process that a plugin changes when it is imported or built.

A changed default of torch, for example, would change the results of all other components.
"""

from __future__ import annotations

import locale
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

logger = logging.getLogger("adframe")

_Setting = tuple[Callable[[], Any], Callable[[Any], Any]]  # read, write


def _ignored() -> list[Any]:
    """The filters that hide all warnings."""
    return [f for f in warnings.filters if f[0] == "ignore" and f[1:4] == (None, Warning, None)]


def _restore_filters(before: list[Any]) -> None:
    for found in _ignored():
        if found not in before:
            warnings.filters.remove(found)  # type: ignore[attr-defined]


_SETTINGS: dict[str, _Setting] = {
    "the current folder": (os.getcwd, os.chdir),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the locale": (
        lambda: locale.setlocale(locale.LC_ALL),
        lambda value: locale.setlocale(locale.LC_ALL, value),
    ),
    "the warning filters": (_ignored, _restore_filters),
}

#: Settings of torch, with the value of a fresh process where torch was not imported before.
_UNKNOWN = object()


def _torch_settings() -> dict[str, tuple[_Setting, Any]]:
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_num_threads"):  # not imported, or not wholly
        return {}
    return {
        "torch's default dtype": (
            (torch.get_default_dtype, torch.set_default_dtype),
            torch.float32,
        ),
        "torch's default device": (
            (torch.get_default_device, torch.set_default_device),
            torch.device("cpu"),
        ),
        "torch's gradient mode": ((torch.is_grad_enabled, torch.set_grad_enabled), True),
        "torch's number of threads": ((torch.get_num_threads, torch.set_num_threads), _UNKNOWN),
        "torch's deterministic algorithms": (
            (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
            False,
        ),
        "torch's detection of anomalies": (
            (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
            False,
        ),
        "torch's precision of matrix products": (
            (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
            "highest",
        ),
    }


@contextmanager
def unchanged(who: str) -> Iterator[None]:
    """Restore the settings of the process after this context; warn of each that was changed.

    Args:
        who: the plugin or component whose code runs in the context.
    """
    before = {name: _value(read) for name, (read, _) in _SETTINGS.items()}
    torch_before = {name: _value(s[0]) for name, (s, _) in _torch_settings().items()}
    try:
        yield
    finally:
        changed = []
        for name, (setting, fresh) in _torch_settings().items():
            changed += _restored(name, setting, torch_before.get(name, fresh))
        for name, setting in _SETTINGS.items():
            changed += _restored(name, setting, before[name])
        if changed:
            logger.warning(f"{who} changes {', '.join(changed)}; restored")


def _value(read: Callable[[], Any]) -> Any:
    with suppress(Exception):
        return read()
    return _UNKNOWN


def _restored(name: str, setting: _Setting, before: Any) -> list[str]:
    """The name, in a list, of a setting that was changed and is now restored."""
    read, write = setting
    if before is _UNKNOWN or _value(read) == before:
        return []
    with suppress(Exception):
        write(before)
    return [name]
