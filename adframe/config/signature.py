"""The options of a component, read from the signature of its constructor."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Unpack, get_args, get_origin, get_type_hints

from torch import nn

from adframe.errors import PluginFault

_NO_OPTIONS = (object.__init__, nn.Module.__init__)


def parameters_of(component: type) -> dict[str, tuple[inspect.Parameter, Any]]:
    """Parameter and annotation of each option of a component, by name.

    A constructor that passes options on to its base class declares them as ``**options:
    Unpack[SomeTypedDict]`` (PEP 692). Their annotations and defaults are those of the constructor
    of the base class.

    Raises:
        PluginFault: an annotation cannot be resolved, or the base class lacks an option.
    """
    return _parameters(component.__mro__)


def _parameters(order: tuple[type, ...]) -> dict[str, tuple[inspect.Parameter, Any]]:
    index = next(index for index, base in enumerate(order) if "__init__" in vars(base))
    owner = order[index]
    constructor = vars(owner)["__init__"]
    if constructor in _NO_OPTIONS:
        return {}
    who = f"{owner.__module__}.{owner.__qualname__}: constructor"
    try:
        hints = get_type_hints(constructor, include_extras=True)
    except Exception as error:  # evaluating an annotation may do anything
        raise PluginFault(f"{who}: an annotation cannot be resolved: {error}") from error
    found: dict[str, tuple[inspect.Parameter, Any]] = {}
    for parameter in list(inspect.signature(constructor).parameters.values())[1:]:
        hint = hints.get(parameter.name)
        if parameter.kind is not parameter.VAR_KEYWORD or get_origin(hint) is not Unpack:
            found[parameter.name] = _with_default(owner, parameter), hint
            continue
        inherited = _parameters(order[index + 1 :])  # of the constructor that super() calls
        for name in get_type_hints(*get_args(hint)):
            if name not in inherited:
                raise PluginFault(f"{who}: no base class has an option '{name}'")
            if name in found:
                raise PluginFault(f"{who}: '{name}' is declared twice")
            found[name] = inherited[name]
    return found


def _with_default(owner: type, parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter; for one of a dataclass with a ``default_factory``, with what that makes."""
    fields = vars(owner).get("__dataclass_fields__", {})
    factory = getattr(fields.get(parameter.name), "default_factory", dataclasses.MISSING)
    return parameter if factory is dataclasses.MISSING else parameter.replace(default=factory())
