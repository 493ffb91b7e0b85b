"""Validates the options of components, from the signatures of their constructors.

A pydantic model is made from each constructor. A nested component is looked up in the registry when
its validator runs. So only the components that a config names are imported, and a broken plugin
breaks only the configs that use it.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from adframe import interfaces
from adframe.config.defaults import check_defaults, differ
from adframe.config.messages import nested, problems_of
from adframe.config.option_types import Record, Settings, keys_of, translate, unpacked
from adframe.config.set_name import Named, with_set_name
from adframe.config.signature import parameters_of
from adframe.config.specs import USE_KIND_DEFAULT, ComponentSpec
from adframe.errors import ConfigError, PluginFault, Problem, UserError, problem_at
from adframe.registry.registry import KINDS, Entry, Registry, reason

_KIND_OF = {getattr(interfaces, base): kind for kind, (base, _) in KINDS.items()}


@dataclass(frozen=True)
class Component:
    """Marks a pydantic field as a component: ``Annotated[ComponentSpec, Component("loss")]``.

    Attributes:
        kind: the kind of component.
        optional: whether it may be null.
        named: whether the key ``set_name`` may name its images.
    """

    kind: str
    optional: bool = False
    named: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda value, info: self._validate(value, info.context)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        reference: dict[str, Any] = {"x-adframe-kind": self.kind}  # the exporter makes it a $ref
        reference |= {"x-adframe-named": True} if self.named else {}
        return {"anyOf": [reference, {"type": "null"}]} if self.optional else reference

    def _validate(self, value: Any, registry: Registry | None) -> Any:
        if value is None and self.optional:
            return None
        if registry is None:  # a default, looked at before there is a run: it is resolved in one
            return value
        try:
            return resolve(self.kind, value, registry, self.named)
        except ConfigError as error:
            raise nested(error.problems) from error


def resolve(kind: str, value: Any, registry: Registry, named: bool = False) -> ComponentSpec:
    """Validate one component of a config: a name, or a mapping with ``name`` and options.

    Args:
        kind: the kind of component.
        value: what the config holds.
        registry: the components there are.
        named: as for ``Component``.

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
        model = options_of(entry)
        model = with_set_name(model) if named else model
    options = {key: item for key, item in table.items() if key != "name"}
    try:
        valid = validate(model, options, registry)
        title = valid.pop("set_name") if issubclass(model, Named) else None
        return ComponentSpec(entry, valid, title or "", name if ":" in name else "")
    except (ConfigError, RecursionError):
        raise
    except Exception as error:  # a validator of the plugin may do anything
        text = f"{entry.who} cannot check its options: {reason(error)}"
        raise ConfigError([Problem((), text)]) from error


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


def options_of(entry: Entry) -> type[BaseModel]:
    """The pydantic model of the options of a component.

    Raises:
        PluginFault: the component cannot be imported, or its constructor cannot be a schema; the
            message names plugin, component and option.
    """
    component = entry.load()
    try:
        return model_of(component)
    except PluginFault as error:
        raise PluginFault(f"{entry.who}: {error}") from error


@cache
def model_of(component: type) -> type[BaseModel]:
    """The pydantic model of a component's constructor.

    Raises:
        PluginFault: a parameter has no annotation or none that a config can hold, is ``*args``,
            or has a name pydantic uses; or a default is not valid or does not come back from YAML.
    """
    who = f"{component.__module__}.{component.__qualname__}: constructor"
    fields: dict[str, Any] = {}
    for name, (parameter, hint) in parameters_of(component).items():
        which = f"{who} parameter '{name}'"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise PluginFault(f"{which} is not passed by name; name every option")
        if parameter.annotation is parameter.empty:
            raise PluginFault(f"{which} has no annotation")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = _field(name, hint, default, which)
    return _model(component.__name__, fields, who, Settings)


def _model(name: str, fields: dict[str, Any], who: str, base: type[BaseModel]) -> type[BaseModel]:
    """A model of these fields, whose defaults are valid and can be written to a config."""
    try:
        without: Any = (..., USE_KIND_DEFAULT)
        held: dict[str, Any] = {key: (hint, default) for key, (hint, default) in fields.items()
                if not any(default is none for none in without)}  # fmt: skip
        valid = check_defaults(first := create_model(name, __base__=Settings, **held), who)
        for key, value in valid.items():
            if not isinstance(fields[key][1], FieldInfo):
                fields[key] = fields[key][0], value
        # Most often the first model is that of all options: a second one takes as long again.
        again = base is not Settings or len(held) < len(fields) or differ(held, valid)
        model: type[BaseModel] = create_model(name, __base__=base, **fields) if again else first
        _json_schema(model)
    except PluginFault:
        raise
    except Exception as error:  # annotations and defaults may do anything
        raise PluginFault(f"{who}: a type that no config can hold: {reason(error)}") from error
    return model


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a pydantic model; a nested component is marked ``x-adframe-kind``."""
    schema = deepcopy(_json_schema(model))
    schema.setdefault("properties", {})
    return schema


@cache
def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    with warnings.catch_warnings():  # USE_KIND_DEFAULT has no JSON form
        warnings.simplefilter("ignore")
        return model.model_json_schema()


def _field(name: str, hint: Any, default: Any, who: str) -> tuple[Any, Any]:
    """Annotation and default of a key, for pydantic."""
    if name == "name" or name.startswith("_") or hasattr(Record, name):
        raise PluginFault(f"{who} has a name that adframe or pydantic uses")
    try:
        hint = translate(hint, partial(_special, who=who))
    except PluginFault as error:
        text = str(error)
        raise PluginFault(text if text.startswith(who) else f"{who}: {text}") from error
    except Exception as error:  # resolving an annotation may do anything
        raise PluginFault(f"{who}: a type that no config can hold: {reason(error)}") from error
    if default is ... and any(isinstance(mark, Component) for mark in get_args(hint)[1:]):
        default = USE_KIND_DEFAULT
    return hint, default


def _special(hint: Any, who: str) -> Any:
    """Annotation of a component, or of a class whose objects are mappings in a config."""
    if isinstance(hint, type) and hint in _KIND_OF:
        return Annotated[ComponentSpec, Component(_KIND_OF[hint])]
    if get_origin(hint) in (Union, types.UnionType):
        args = get_args(hint)
        kinds = [arg for arg in args if isinstance(arg, type) and arg in _KIND_OF]
        if len(kinds) == 1 and len(args) == 2 and types.NoneType in args:
            return Annotated[Any, Component(_KIND_OF[kinds[0]], optional=True)]
        return None
    keys = keys_of(hint)
    if keys is None:
        return None
    fields = {
        name: _field(name, inner, default, f"{who}: key '{name}'")
        for name, (inner, default) in keys.items()
    }
    base = type("Record", (Record,), {"adframe_target": hint, "__module__": __name__})
    model = _model(hint.__name__, fields, who, base)
    return Annotated[model, BeforeValidator(partial(unpacked, hint, keys))]
