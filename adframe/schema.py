"""From a constructor's signature to a validated table of options.

A component's options are validated by a pydantic model made from its constructor. A nested
component is looked up in the registry when its validator runs, so that only components a config
names are imported, and one broken plugin breaks only the configs that use it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict
from pydantic import ValidationError, create_model  # fmt: skip
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from adframe import interfaces
from adframe.errors import ConfigError, PluginFault, Problem, UserError, did_you_mean
from adframe.registry import KINDS, Entry, Registry

Path_ = tuple[str | int, ...]
#: Stands for "the config does not say": the validator asks the registry for the kind's default.
DEFAULT: Any = object()

_KIND_OF = {getattr(interfaces, base): kind for kind, (base, _) in KINDS.items()}
_NESTED = "adframe_component"  # type of the error that carries a component's problems upwards


class Settings(BaseModel):
    """A table of a config: unknown keys are refused, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_default=True,
        frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Spec:
    """A component as a config names it: validated, not yet built."""

    entry: Entry
    options: dict[str, Any]

    def dump(self) -> dict[str, Any]:
        """The table a config would hold, defaults included."""
        return {"name": self.entry.name, **{key: _dumped(v) for key, v in self.options.items()}}

    def build(self, path: Path_ = ()) -> Any:
        """A new instance.

        Raises:
            ConfigError: the constructor refuses the options (ValueError), located at ``path``.
        """
        options = {key: _built(value, (*path, key)) for key, value in self.options.items()}
        try:
            return self.entry.load()(**options)
        except ValueError as error:
            raise ConfigError([Problem(path, str(error))]) from error


def _dumped(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.dump()
    if isinstance(value, list | tuple):
        return [_dumped(item) for item in value]
    if isinstance(value, dict):
        return {key: _dumped(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _built(value: Any, path: Path_) -> Any:
    if isinstance(value, Spec):
        return value.build(path)
    if isinstance(value, list):
        return [_built(item, (*path, index)) for index, item in enumerate(value)]
    return value


@dataclass(frozen=True)
class Component:
    """Marks a pydantic field as a component of a kind: ``Annotated[Spec, Component("loss")]``."""

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

    def _validate(self, value: Any, registry: Registry) -> Spec | None:
        if value is None and self.optional:
            return None
        try:
            return resolve(self.kind, value, registry)
        except ConfigError as error:
            raise PydanticCustomError(_NESTED, "", {"problems": error.problems}) from error


def resolve(kind: str, value: Any, registry: Registry) -> Spec:
    """Validate what a config says of one component: a name, or a table with ``name``.

    Raises:
        ConfigError: every problem of it and of components nested in it, paths relative to it.
    """
    if isinstance(value, Spec):
        return value
    if value is DEFAULT:
        entry = registry.default(kind)
        if entry is None:
            raise ConfigError([Problem((), f"missing: name a {kind}")])
        return resolve(kind, entry.name, registry)
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise ConfigError([Problem((), f"expected the name of a {kind}, or a table with 'name'")])
    name = table["name"]
    try:
        entry = registry.get(kind, name)
        model = model_of(entry.load())
    except (UserError, PluginFault) as error:
        at = () if isinstance(value, str) else ("name",)
        raise ConfigError([Problem(at, str(error))]) from error
    options = {key: item for key, item in table.items() if key != "name"}
    return Spec(entry, validate(model, options, registry))


def validate(model: type[BaseModel], table: Any, registry: Registry) -> dict[str, Any]:
    """The fields of a validated table.

    Raises:
        ConfigError: all problems, paths relative to the table.
    """
    try:
        valid = model.model_validate(table, context=registry)
    except ValidationError as error:
        raise ConfigError(_problems(error, model, table)) from error
    return {name: getattr(valid, name) for name in model.model_fields}


@cache
def model_of(component: type) -> type[BaseModel]:
    """The pydantic model of a component's constructor.

    Raises:
        PluginFault: a parameter has no annotation, is ``*args``, or has a name pydantic uses.
    """
    constructor = component.__init__  # type: ignore[misc]
    fault = f"{component.__module__}.{component.__qualname__}: constructor parameter"
    fields: dict[str, Any] = {}
    if constructor is not object.__init__:
        try:
            hints = get_type_hints(constructor, include_extras=True)
        except NameError as error:
            raise PluginFault(f"{fault}s: an annotation cannot be resolved: {error}") from error
        for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                if constructor is not component.__mro__[1].__init__:  # type: ignore[misc]
                    raise PluginFault(f"{fault} '{name}' is variadic; name every option")
                continue
            if name not in hints:
                raise PluginFault(f"{fault} '{name}' has no annotation")
            if hasattr(BaseModel, name) or name == "name":
                raise PluginFault(f"{fault} '{name}' has a name that adframe or pydantic uses")
            hint = _translate(hints[name])
            default = parameter.default
            if default is parameter.empty:
                nested = any(isinstance(mark, Component) for mark in get_args(hint)[1:])
                default = DEFAULT if nested else ...
            fields[name] = (hint, default)
    return create_model(component.__name__, __base__=Settings, **fields)


def _translate(hint: Any) -> Any:
    """An annotation with component base classes replaced by their marker, and paths by text."""
    if hint in _KIND_OF:
        return Annotated[Spec, Component(_KIND_OF[hint])]
    if hint is Path:
        return Annotated[Path, Strict(False)]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_translate(args[0]), *hint.__metadata__)]
    if origin in (Union, types.UnionType):
        kinds = [arg for arg in args if arg in _KIND_OF]
        if len(kinds) == 1 and set(args) == {kinds[0], type(None)}:
            return Annotated[Any, Component(_KIND_OF[kinds[0]], optional=True)]
        return Union[tuple(_translate(arg) for arg in args)]  # noqa: UP007
    if origin is None or origin is Literal:
        return hint
    return origin[tuple(_translate(arg) for arg in args)]


def _problems(error: ValidationError, model: type[BaseModel], table: Any) -> list[Problem]:
    found: dict[Path_, Problem] = {}
    for item in error.errors(include_url=False):
        context = item.get("ctx", {})
        path = _trim(item["loc"], table, keep_last=item["type"] == "missing")
        if item["type"] == _NESTED:
            nested = [Problem((*path, *sub.path), sub.message) for sub in context["problems"]]
        else:
            nested = [Problem(path, _message(item, _model_at(model, path[:-1])))]
        for problem in nested:  # a union reports each branch: the first is enough
            found.setdefault(problem.path, problem)
    return list(found.values())


def _trim(loc: tuple[str | int, ...], table: Any, keep_last: bool) -> Path_:
    """Where in the table an error is: pydantic's location less the names of union branches."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(table, Mapping) and part in table:
            table = table[part]
        elif isinstance(table, list) and isinstance(part, int) and part < len(table):
            table = table[part]
        elif not (keep_last and part is loc[-1]):
            continue
        path.append(part)
    return tuple(path) if path or not loc else (loc[0],)


def _model_at(model: type[BaseModel] | None, path: Path_) -> type[BaseModel] | None:
    for part in path:
        if isinstance(part, str) and model is not None:
            field = model.model_fields.get(part)
            model = _inner_model(field.annotation) if field else None
    return model


def _inner_model(hint: Any) -> type[BaseModel] | None:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint
    return next(filter(None, map(_inner_model, get_args(hint))), None)


_SAY = {
    "missing": "missing",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be one of {expected}",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "model_type": "must be a table of keys",
    "path_type": "must be a path",
    "too_short": "must have {min_length} items or more",
    "too_long": "must have {max_length} items or fewer",
}


def _message(item: Any, model: type[BaseModel] | None) -> str:
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        fields = model.model_fields if model else ()
        return "unknown key" + did_you_mean(str(item["loc"][-1]), fields)
    text = _SAY.get(kind, item["msg"]).format(**item.get("ctx", {}))
    if kind == "missing":
        return text
    if kind == "literal_error" and isinstance(value, str):
        known = item["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{text}, not {value!r}{did_you_mean(value, known)}"
    shown = repr(value)
    return f"{text}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"
