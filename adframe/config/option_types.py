"""Which types an option may have, and how pydantic reads each from a config.

A config holds numbers, text, booleans, null, lists and mappings. A type is allowed if each of its
values has one form in these, and comes back equal. All others are refused as the plugin's fault.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import os
import types
import typing
from collections import abc
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel, BeforeValidator, ConfigDict, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from adframe.config.messages import exactly, literal_error
from adframe.errors import PluginFault, UserError
from adframe.io.paths import expand_user

_PLAIN = (bool, int, float, str, None, types.NoneType)
_FROM_TEXT = (datetime.date, datetime.datetime, datetime.time, Decimal)
_SEQUENCES = (abc.Sequence, abc.Collection, abc.Iterable)
#: Name of a key -> type and default, ``...`` without one.
Keys = dict[str, tuple[Any, Any]]


class Settings(BaseModel):
    """Base model of config mappings: refuses unknown keys, does not convert values."""

    model_config = ConfigDict(
        extra="forbid", strict=True, validate_default=True, frozen=True, allow_inf_nan=False
    )


class Record(Settings):
    """Base model of a mapping that becomes an object of a plugin's class when it is built."""

    adframe_target: ClassVar[Any]


def translate(hint: Any, special: Callable[[Any], Any]) -> Any:  # noqa: PLR0911 - a table
    """The annotation of an option as one for pydantic.

    Args:
        hint: the annotation.
        special: gives the annotation of a component, or of a record; None for any other type.

    Raises:
        PluginFault: a config cannot hold the type.
    """
    again = partial(translate, special=special)
    found = special(hint)
    if found is not None:
        return found
    origin, args = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return Any
    if origin is Annotated:
        return Annotated[(again(args[0]), *hint.__metadata__)]
    if origin in (Union, types.UnionType):
        return Union[tuple(again(arg) for arg in args)]  # noqa: UP007
    if origin is Literal and all(type(arg) in (bool, int, str, types.NoneType) for arg in args):
        return Annotated[hint, BeforeValidator(partial(exactly, args))]
    if origin is typing.Final and args:
        return again(args[0])
    if hasattr(hint, "__supertype__"):  # NewType
        return again(hint.__supertype__)
    if isinstance(hint, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
        return again(hint.__value__)
    if typing_extensions.is_typeddict(hint):
        return _typed_dict(hint, again)
    return _of_class(hint, origin or hint, args, again)


def _of_class(  # noqa: PLR0911 - a table
    hint: Any, kind: Any, args: tuple[Any, ...], again: Callable[[Any], Any]
) -> Any:
    """Translate a class, or a container with the types of its items."""
    if kind in _PLAIN:
        return hint
    if kind in (Path, os.PathLike):
        return PathOption
    if kind in _FROM_TEXT:
        return Annotated[kind, Strict(False), BeforeValidator(partial(_is_text, kind))]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choices(kind)
    if kind in (dict, abc.Mapping, abc.MutableMapping):
        key, value = args or (str, Any)
        if key is not str and not (get_origin(key) is Literal and _texts(get_args(key))):
            raise PluginFault(f"{_name(hint)} has keys that are not text")
        return dict[again(key), again(value)]  # type: ignore[misc]
    if kind is tuple:
        items = args or (Any, ...)
        inner = tuple(item if item is ... else again(item) for item in items)
        return Annotated[tuple[inner], Strict(False)]  # type: ignore[valid-type]
    if kind in _SEQUENCES:  # read only, so that a list in a config and a tuple are one
        item = again(args[0] if args else Any)
        return Annotated[tuple[item, ...], Strict(False)]  # type: ignore[valid-type]
    if kind in (set, frozenset, abc.Set):
        item = again(args[0] if args else Any)
        whole = frozenset if kind is abc.Set else kind
        return Annotated[whole[item], Strict(False), BeforeValidator(_is_list)]
    if kind is list:
        return list[again(args[0])] if args else list[Any]  # type: ignore[misc]
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        for inner in get_type_hints(kind, include_extras=True).values():
            again(inner)
        return kind
    raise PluginFault(f"{_name(hint)} is a type that no config can hold")


def _typed_dict(hint: Any, again: Callable[[Any], Any]) -> Any:
    hints = get_type_hints(hint, include_extras=True)
    keys: dict[str, Any] = {}
    for key, value in hints.items():
        inner = value
        while get_origin(inner) in (typing.Required, typing.NotRequired):
            (inner,) = get_args(inner)
        optional = key in hint.__optional_keys__
        keys[key] = typing.NotRequired[again(inner)] if optional else again(inner)
    make: Any = typing_extensions.TypedDict
    made = make(hint.__name__, keys)
    made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return made


# --- choices --------------------------------------------------------------------------------------


def _texts(values: typing.Iterable[Any]) -> bool:
    return all(type(value) is str for value in values)


def choice_of(member: enum.Enum) -> str:
    """How a config writes a member: by its value if all values are texts, else by its name."""
    return str(member.value) if _texts(m.value for m in type(member)) else member.name


def _choices(kind: type[enum.Enum]) -> Any:
    members = {choice_of(member): member for member in kind}
    if not members or issubclass(kind, enum.Flag):
        raise PluginFault(f"{_name(kind)} is a type that no config can hold")

    def read(value: Any) -> enum.Enum:
        if type(value) is kind:
            return value
        if not isinstance(value, str) or value not in members:
            raise literal_error(tuple(members))
        return members[value]

    return Annotated[Any, BeforeValidator(read), WithJsonSchema({"enum": [*members]})]


# --- records --------------------------------------------------------------------------------------


def keys_of(kind: Any) -> Keys | None:
    """The keys of a dataclass or of a pydantic model; None for any other type."""
    if not isinstance(kind, type):
        return None
    if issubclass(kind, BaseModel):
        keys: Keys = {}
        for name, field in kind.model_fields.items():
            alias = field.validation_alias if isinstance(field.validation_alias, str) else name
            hint: Any = field.annotation
            hint = Annotated[(hint, *field.metadata)] if field.metadata else hint
            required = field.is_required()
            default = ... if required else field.get_default(call_default_factory=True)
            keys[alias] = hint, default
        return keys
    if not dataclasses.is_dataclass(kind):
        return None
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.name: (hints[field.name], default_of(field))
        for field in dataclasses.fields(kind)
        if field.init
    }


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Default of a field of a dataclass; ``...`` without one."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return ... if field.default is dataclasses.MISSING else field.default


def unpacked(target: Any, keys: Keys, value: Any) -> Any:
    """The keys of an object of a plugin's class, as a default is one; any other value as it is."""
    if not isinstance(value, target):
        return value
    names = target.model_fields if issubclass(target, BaseModel) else keys
    return {key: getattr(value, name) for key, name in zip(keys, names, strict=True)}


# --- checks before pydantic's ---------------------------------------------------------------------


def _is_path(value: Any) -> Any:
    if value == "" or (isinstance(value, str) and "\0" in value):
        raise PydanticCustomError("path", "must be a path")
    if isinstance(value, str | Path):
        try:
            expand_user(Path(value))  # a component expands it, and must not fail
        except UserError as error:
            raise PydanticCustomError("home", "{text}", {"text": str(error)}) from None
    return value


#: A path, of text or a Path, that may start with ``~``.
PathOption = Annotated[Path, Strict(False), BeforeValidator(_is_path)]


def _is_text(kind: type, value: Any) -> Any:
    numbers = (int, float) if kind is Decimal else ()
    if isinstance(value, bool) or not isinstance(value, (str, kind, *numbers)):
        raise PydanticCustomError("text", "must be a {name}", {"name": kind.__name__})
    return value


def _is_list(value: Any) -> Any:
    if isinstance(value, list) and len({str(item) for item in value}) < len(value):
        raise PydanticCustomError("unique", "must have each item once")
    if not isinstance(value, list | set | frozenset):
        raise PydanticCustomError("list_type", "must be a list")
    return value


def _name(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)
