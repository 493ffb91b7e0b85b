"""Checks that the defaults of a plugin's options are valid, and that a config can hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from adframe.config.messages import problems_of
from adframe.config.specs import plain
from adframe.config.yaml_tree import escaped, parse, to_yaml
from adframe.errors import PluginFault, UserError


def check_defaults(model: type[BaseModel], who: str) -> dict[str, Any]:
    """Refuse defaults that are not valid, or that a config does not give back as they are.

    Args:
        model: the options that have a default.
        who: whose they are, for messages.

    Returns:
        the defaults as they are validated.

    Raises:
        PluginFault: a default is wrong; the message names the option.
    """
    try:
        valid = model()
    except ValidationError as error:
        (first, *_) = problems_of(error, model, {})
        raise PluginFault(
            f"{who} parameter '{first.path[0]}' has a default that it refuses: "
            f"{'.'.join(map(str, first.path[1:]))}{': ' * (len(first.path) > 1)}{first.message}"
        ) from error
    for name, value in valid:
        held = plain(value)
        try:
            if not _plainly_held(held):
                held = parse(to_yaml(escaped({name: held})), "", folder=Path()).plain()[name]
            again = getattr(model.model_validate({name: held}), name)
            same = type(again) is type(value) and bool(again == value)
        except (ValidationError, UserError):
            same = False
        if not same:
            raise PluginFault(
                f"{who} parameter '{name}' has a default that no config can hold: {value!r}"
            )
    return {name: getattr(valid, name) for name in model.model_fields}


def differ(given: dict[str, tuple[Any, Any]], valid: dict[str, Any]) -> bool:
    """Whether a default is another value once it is validated, such as 1 for a ``float``."""
    pairs = [(default, valid[key]) for key, (_, default) in given.items()]
    return any(type(a) is not type(b) or a != b or repr(a) != repr(b) for a, b in pairs)


def _plainly_held(value: Any) -> bool:
    """Whether YAML gives a value back for certain; the way through its text takes most time."""
    if isinstance(value, str):
        return value.isascii() and value.isidentifier() and value.lower() not in _WORDS
    return value is None or type(value) in (bool, int, float)


_WORDS = ("null", "true", "false")
