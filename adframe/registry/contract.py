"""Checks that a plugin is written for this adframe, and that its hooks are hooks of adframe."""

from __future__ import annotations

import inspect
from typing import Any

import pluggy

from adframe.errors import PluginFault, did_you_mean
from adframe.registry import hookspecs


def check_api(module: Any) -> None:
    """Refuse a plugin of another API version before any of its hooks is called."""
    wanted = getattr(module, "adframe_api", hookspecs.API)
    if wanted != hookspecs.API:
        older = isinstance(wanted, int) and wanted < hookspecs.API
        raise PluginFault(
            f"is written for plugin API {wanted}, and this adframe has {hookspecs.API}; "
            f"update {'the plugin' if older else 'adframe'}"
        )


def check_hooks(module: Any, manager: pluggy.PluginManager) -> None:
    """Refuse hooks that pluggy would ignore, or report with a long message."""
    for name, function in inspect.getmembers(module, inspect.isroutine):
        marked = manager.parse_hookimpl_opts(module, name)
        specification = hookspecs.names().get(name)
        if specification is not None and not marked:
            raise PluginFault(f"'{name}' is not marked @hookimpl")
        if marked and specification is None:
            hint = did_you_mean(name, hookspecs.names())
            raise PluginFault(f"adframe has no hook '{name}'{hint}")
        if marked and specification is not None:
            given = list(inspect.signature(specification).parameters)
            for parameter in inspect.signature(function).parameters.values():
                if parameter.name not in given and parameter.default is parameter.empty:
                    raise PluginFault(
                        f"hook '{name}' takes '{parameter.name}', "
                        f"and adframe passes: {', '.join(given)}"
                    )
