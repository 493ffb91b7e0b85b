"""Finds the component or hook that an exception came from.

Nothing is wrapped for it: the traceback of the exception holds the objects whose methods ran.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from adframe.errors import PluginFault, TrainingError, UserError, one_line
from adframe.registry import hookspecs
from adframe.registry.entry_points import stops
from adframe.registry.registry import entry_of, message, reason

#: Environment variable; if it is not empty, the traceback of a fault in a plugin is printed.
TRACEBACK = "ADFRAME_TRACEBACK"

#: What torch, oneDNN, CUDA, C++ and the loader of libraries report when memory is full.
_MEMORY = (
    "allocate", "alloc failed", "bad_alloc", "out of memory", "could not create a primitive",
    "could not create a memory", "failed to map segment", "can't start new thread",
)  # fmt: skip

_PLUGINS: dict[str, str] = {}  # package, or module of a one-file plugin -> name of the plugin


def remember(module: str, plugin: str) -> None:
    """Record which plugin a module, or all modules of a package, belong to."""
    _PLUGINS[module] = plugin


def blame(error: BaseException) -> PluginFault | None:
    """One-line error that names the component or hook which raised an exception.

    Returns:
        None if no plugin raised it, and for errors of the user, of memory and of a closed pipe.
    """
    if isinstance(error, PluginFault):
        return error
    expected = (UserError, TrainingError, GeneratorExit, BrokenPipeError)
    if isinstance(error, expected) or out_of_memory(error) or stops(error):
        return None
    found = module = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        found = _named(frame) or found
        module = _plugin(frame) or module
    found = found or (module and f"plugin '{module}'")
    if not found:  # Python turns a StopIteration in a generator into another error
        return blame(error.__cause__) if isinstance(error.__cause__, StopIteration) else None
    fault = PluginFault(one_line(f"{found} raised {reason(error)}; {TRACEBACK}=1 shows where"))
    fault.__cause__ = error
    return fault


@contextmanager
def thread_lines(show: Callable[[object], None]) -> Iterator[None]:
    """Show an exception that ends a thread of a plugin as one line; other threads continue."""
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        fault = blame(arguments.exc_value) if arguments.exc_value else None
        if fault is None:
            before(arguments)
            return
        show_traceback(fault)
        show(fault)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the memory of the CPU or the GPU is full."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError | ImportError):
        return any(words in message(error) for words in _MEMORY)
    return isinstance(error, MemoryError)


def show_traceback(error: BaseException) -> None:
    """Print the traceback of an error if ``ADFRAME_TRACEBACK`` is set."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error.__cause__ or error, file=sys.stderr)


def _named(frame: FrameType) -> str:
    """The component or hook whose code a frame runs; empty for any other frame."""
    code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
    if code.co_name in hookspecs.names():
        return f"{code.co_name} of plugin '{_plugin(frame) or module}'"
    if not code.co_argcount or module.partition(".")[0] == "torch":
        return ""
    entry = entry_of(frame.f_locals.get(code.co_varnames[0]))
    return f"{entry.who}: {code.co_name}" if entry else ""


def _plugin(frame: FrameType) -> str:
    """Name of the plugin whose code a frame runs; empty for any other frame."""
    name = str(frame.f_globals.get("__name__", ""))
    while name not in _PLUGINS and "." in name:
        name = name.rpartition(".")[0]
    return _PLUGINS.get(name, "")
