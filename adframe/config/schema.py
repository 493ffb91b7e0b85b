"""Validates the options of components, from the signatures of their constructors.

A pydantic model is made from each constructor. A nested component is looked up in the registry when
its validator runs. So only the components that a config names are imported, and a broken plugin
breaks only the configs that use it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticUserError
from pydantic_core import CoreSchema, core_schema

from adframe import interfaces
from adframe.config.messages import exactly, nested, problems_of
from adframe.config.signature import parameters_of
from adframe.config.yaml_tree import map_tree
from adframe.errors import ConfigError, KeyPath, PluginFault, Problem, UserError, problem_at
from adframe.registry.registry import KINDS, Entry, Registry

#: Default of a component that the config does not set: the registry's default of its kind.
USE_KIND_DEFAULT: Any = object()

_KIND_OF = {getattr(interfaces, base): kind for kind, (base, _) in KINDS.items()}


class Settings(BaseModel):
    """Base model of config mappings: refuses unknown keys, does not convert values."""

    model_config = ConfigDict(
        extra="forbid", strict=True, validate_default=True, frozen=True, allow_inf_nan=False
    )


@dataclass(frozen=True)
class ComponentSpec:
    """A component with validated options, not yet built."""

    entry: Entry
    options: dict[str, Any]

    def dump(self) -> dict[str, Any]:
        """The component as a config mapping, with defaults."""
        return {"name": self.entry.name, **plain(self.options)}

    def build(
        self, path: KeyPath = (), built: dict[KeyPath, tuple[ComponentSpec, Any]] | None = None
    ) -> Any:
        """A new instance.

        Args:
            path: where it stands in the config.
            built: gets the instance, and those of all components among its options, by path.

        Raises:
            ConfigError: the constructor refuses the options (ValueError), located at ``path``.
        """

        def build(value: Any, at: KeyPath) -> Any:
            return value.build(at, built) if isinstance(value, ComponentSpec) else value

        options = map_tree(self.options, build, path)
        with problem_at(path, ValueError):
            instance = self.entry.load()(**options)
        if built is not None:
            built[path] = (self, instance)
        return instance


def plain(value: Any) -> Any:
    """Convert a validated value to plain dicts, lists and values for YAML and JSON."""

    def leaf(value: Any, _: KeyPath) -> Any:
        if isinstance(value, ComponentSpec):
            return value.dump()
        if isinstance(value, BaseModel):
            return {name: plain(item) for name, item in value}
        return value if isinstance(value, bool | int | float | str | None) else str(value)

    return map_tree(value, leaf, sequence=list)


@dataclass(frozen=True)
class Component:
    """Marks a pydantic field as a component: ``Annotated[ComponentSpec, Component("loss")]``."""

    kind: str
    optional: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda value, info: self._validate(value, info.context)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        reference = {"x-adframe-kind": self.kind}  # the exporter turns it into a $ref
        return {"anyOf": [reference, {"type": "null"}]} if self.optional else reference

    def _validate(self, value: Any, registry: Registry) -> ComponentSpec | None:
        if value is None and self.optional:
            return None
        try:
            return resolve(self.kind, value, registry)
        except ConfigError as error:
            raise nested(error.problems) from error


def resolve(kind: str, value: Any, registry: Registry) -> ComponentSpec:
    """Validate one component of a config: a name, or a mapping with ``name`` and options.

    Raises:
        ConfigError: all problems of it and of nested components, paths relative to it.
    """
    if isinstance(value, ComponentSpec):
        return value
    table = {"name": value} if isinstance(value, str) else value
    if value is USE_KIND_DEFAULT:
        table = _default(kind, registry)
        if not table:
            raise ConfigError([Problem((), "missing")])
    elif isinstance(table, Mapping) and "name" not in table:  # options of the kind's default
        table = {**_default(kind, registry), **table}
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise ConfigError([Problem((), f"expected {_a(kind)}: its name, or a mapping with 'name'")])
    name = table["name"]
    with problem_at(("name",) if isinstance(value, Mapping) else (), UserError, PluginFault):
        entry = registry.get(kind, name)
        model = model_of(entry.load())
    options = {key: item for key, item in table.items() if key != "name"}
    return ComponentSpec(entry, validate(model, options, registry))


def _default(kind: str, registry: Registry) -> dict[str, str]:
    """``name`` of the kind's default component, or nothing if there is none."""
    with problem_at((), UserError):
        entry = registry.default(kind)
    return {} if entry is None else {"name": entry.name}


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def validate(model: type[BaseModel], table: Any, registry: Registry) -> dict[str, Any]:
    """Validate a mapping against a pydantic model; returns its fields.

    Raises:
        ConfigError: all problems, paths relative to the mapping.
    """
    try:
        valid = model.model_validate(table, context=registry)
    except ValidationError as error:
        raise ConfigError(problems_of(error, model, table)) from error
    return {name: getattr(valid, name) for name in model.model_fields}


@cache
def model_of(component: type) -> type[BaseModel]:
    """The pydantic model of a component's constructor.

    Raises:
        PluginFault: a parameter has no annotation or none that a config can hold, is ``*args``,
            or has a name pydantic uses.
    """
    who = f"{component.__module__}.{component.__qualname__}: constructor"
    fields: dict[str, Any] = {
        name: _field(parameter, hint, f"{who} parameter '{name}'")
        for name, (parameter, hint) in parameters_of(component).items()
    }
    try:
        return create_model(component.__name__, __base__=Settings, **fields)
    except PydanticUserError as error:
        reason = str(error).partition("\n")[0]
        raise PluginFault(f"{who}: a type that no config can hold: {reason}") from error


def _field(parameter: inspect.Parameter, hint: Any, who: str) -> tuple[Any, Any]:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise PluginFault(f"{who} is not passed by name; name every option")
    name, default = parameter.name, parameter.default
    if parameter.annotation is parameter.empty:
        raise PluginFault(f"{who} has no annotation")
    if name == "name" or name.startswith("_") or hasattr(BaseModel, name):
        raise PluginFault(f"{who} has a name that adframe or pydantic uses")
    hint = _translate(hint)
    if default is parameter.empty:
        is_component = any(isinstance(mark, Component) for mark in get_args(hint)[1:])
        default = USE_KIND_DEFAULT if is_component else ...
    return hint, default


def _translate(hint: Any) -> Any:
    """Translate an annotation of a constructor to one for pydantic.

    A base class of components becomes ``Component``. Paths are read from text, tuples from lists.
    """
    if isinstance(hint, type) and hint in _KIND_OF:
        return Annotated[ComponentSpec, Component(_KIND_OF[hint])]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_translate(args[0]), *hint.__metadata__)]
    if origin in (Union, types.UnionType):
        return _translate_union(args)
    if origin is Literal:
        return Annotated[hint, BeforeValidator(partial(exactly, args))]
    inner = tuple(_translate(arg) for arg in args)
    result = hint if origin is None else origin[inner]
    return Annotated[result, Strict(False)] if hint is Path or tuple in (hint, origin) else result


def _translate_union(args: tuple[Any, ...]) -> Any:
    kinds = [arg for arg in args if isinstance(arg, type) and arg in _KIND_OF]
    if len(kinds) == 1 and len(args) == 2 and types.NoneType in args:
        return Annotated[Any, Component(_KIND_OF[kinds[0]], optional=True)]
    return Union[tuple(_translate(arg) for arg in args)]  # noqa: UP007
