"""Descriptions of components and config sections: options, documentation, use."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adframe.config.model import RunConfig
from adframe.config.schema import Component, options_of, schema_of
from adframe.config.sections import Decision, Exposure, Start, Term, Train, Validation
from adframe.config.specs import USE_KIND_DEFAULT, plain
from adframe.config.yaml_tree import to_yaml
from adframe.errors import UserError, did_you_mean
from adframe.registry.registry import KINDS, Entry, Registry

KIND_DEFAULT = "the kind's default"
#: Section of a config -> the model of its keys; ``config`` is the whole.
SECTIONS: dict[str, type[BaseModel]] = {
    "config": RunConfig, "train": Train, "objective": Term, "exposure": Exposure,
    "decision": Decision, "start": Start, "validation": Validation,
}  # fmt: skip
_ARGUMENT = re.compile(r"^(\w+): *(?:\[([^\]]*)\] *)?(.*)$", re.MULTILINE)


def argument_docs(component: type) -> dict[str, tuple[str, str]]:
    """Parameter -> (provenance, text) from the ``Args:`` sections of a class and its bases.

    Provenance is the text in brackets at the start, such as ``[published: 0.5]``. A class inherits
    the documentation of its bases.
    """
    documented: dict[str, tuple[str, str]] = {}
    for base in reversed(component.__mro__):
        documented |= _arguments(inspect.cleandoc(vars(base).get("__doc__") or ""))
    return documented


def _arguments(text: str) -> dict[str, tuple[str, str]]:
    section = re.split(r"\n(?=\S)", text.partition("\nArgs:\n")[2])[0]
    lines = re.sub(r"\n\s+", " ", textwrap.dedent(section).strip())  # one line per argument
    return {match[1]: (match[2] or "", match[3]) for match in _ARGUMENT.finditer(lines)}


def describe(entry: Entry, registry: Registry | None = None) -> dict[str, Any]:
    """Everything that ``adframe show`` prints about a component.

    Raises:
        PluginFault: it cannot be imported, or its constructor cannot be a schema.
    """
    component = entry.load()
    model, docs = options_of(entry), argument_docs(component)
    text = inspect.getdoc(component) or ""
    summary, _, rest = text.partition("\n")
    schema = component_schema(model)["properties"]
    options = []
    for name, field in model.model_fields.items():
        provenance, doc = docs.get(name, ("", ""))
        option = _option(name, field, schema.get(name, {}), registry)
        options.append({**option, "provenance": provenance, "doc": doc})
    return {
        "kind": entry.kind,
        "name": entry.name,
        "plugin": entry.plugin.name,
        "version": entry.plugin.version,
        "source": f"{inspect.getsourcefile(component)}:{_line_of(component)}",
        "signature": f"{component.__qualname__}({', '.join(map(_parameter, options))})",
        "summary": summary,
        "text": rest.partition("\nArgs:\n")[0].strip(),
        "options": options,
        "example": example(entry.kind, entry.name, options),
    }


def describe_section(name: str, registry: Registry | None = None) -> dict[str, Any]:
    """Keys of a config, with type, default and doc: all of them, or those of one section.

    Args:
        name: ``config`` for the keys at the top, or one of ``train``, ``objective`` (of which each
            list item has these keys), ``exposure``, ``decision`` and ``validation``.
        registry: where the defaults of kinds come from.

    Raises:
        UserError: there is no such section.
    """
    if name not in SECTIONS:
        hint = did_you_mean(name, [*KINDS, *SECTIONS])
        there = f"kinds: {', '.join(KINDS)}; sections: {', '.join(SECTIONS)}"
        raise UserError(f"no kind or section '{name}'{hint} ({there})")
    model = SECTIONS[name]
    schema = schema_of(model)["properties"]
    keys = [
        {**_option(key, field, schema[key], registry), "doc": field.description or ""}
        for key, field in model.model_fields.items()
    ]
    return {"section": name, "summary": inspect.getdoc(model) or "", "keys": keys}


def _option(
    name: str, field: FieldInfo, schema: dict[str, Any], registry: Registry | None
) -> dict[str, Any]:
    """Name, type and default of a key, as a config has them."""
    required = is_required(field, registry)
    nested = field.default is USE_KIND_DEFAULT
    value = KIND_DEFAULT if nested else plain(field.get_default(call_default_factory=True))
    return {
        "name": name,
        "type": _words(schema),
        "required": required,
        "default": None if required else value,
        "schema": schema,
    }


def is_required(field: FieldInfo, registry: Registry | None) -> bool:
    """Whether a config must set the option, because neither it nor its kind has a default."""
    if field.default is not USE_KIND_DEFAULT or registry is None:
        return field.is_required()
    kinds = [mark.kind for mark in field.metadata if isinstance(mark, Component)]
    return any(registry.default(kind) is None for kind in kinds)


def _line_of(component: type) -> int:
    try:
        return inspect.getsourcelines(component)[1]
    except OSError:  # a class without a source file
        return 0


def _parameter(option: dict[str, Any]) -> str:
    name: str = option["name"]
    if option["required"] or option["default"] == KIND_DEFAULT:
        return name
    return f"{name}={option['default']!r}"


#: Keys from the top of a config to a component of a kind; a number is an index in a list.
_PLACES: dict[str, tuple[str | int, ...]] = {
    "shift": ("shifts", 0),
    "loss": ("objective", 0, "loss"),
    "observer": ("observers", 0),
    "metric": ("metrics", 0),
    "augmentation": ("schedule", "augmentation"),
}


def example(kind: str, name: str, options: list[dict[str, Any]]) -> str:
    """Config fragment that uses the component, with its default values."""
    made: Any = {"name": name}
    for option in options:
        if option["required"]:
            made[option["name"]] = f"<{option['type']}>"
        elif option["default"] is not None and option["default"] != KIND_DEFAULT:
            made[option["name"]] = option["default"]
    made = made if len(made) > 1 else name
    for part in reversed(_PLACES.get(kind, (kind,))):
        made = [made] if isinstance(part, int) else {part: made}
    return to_yaml(made, flow=None, width=100)


_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def _words(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - a table
    """A JSON Schema type in a few words: ``number > 0``, ``list of path``."""
    if named := schema.get("x-adframe-kind") or schema.get("$ref"):  # a kind; a section
        return str(named).rpartition("/")[2].lower()
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return "one of " + ", ".join(str(value) for value in values)
    if "anyOf" in schema:
        return " or ".join(_words(branch) for branch in schema["anyOf"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return "[" + ", ".join(_words(item) for item in schema["prefixItems"]) + "]"
        return "list of " + _words(schema.get("items", {}))
    if "properties" in schema:
        return "mapping of " + ", ".join(schema["properties"])
    name = {"null": "null", "string": "text", "boolean": "true or false"}.get(
        schema.get("type", ""), schema.get("type", "anything")
    )
    name = schema.get("format", name)
    bounds = [f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema]
    return " ".join([name, *bounds])


def component_schema(model: type[BaseModel]) -> dict[str, Any]:
    """``schema_of`` without ``$defs``, and with each default as a config has it."""
    schema = schema_of(model)
    definitions = schema.pop("$defs", {})

    def inlined(value: Any) -> Any:
        if isinstance(value, list):
            return [inlined(item) for item in value]
        if not isinstance(value, dict):
            return value
        whole = {**definitions.get(str(value.get("$ref")).rpartition("/")[2], {}), **value}
        return {key: inlined(item) for key, item in whole.items() if key != "$ref"}

    schema["properties"] = inlined(schema["properties"])
    for name, field in model.model_fields.items():
        if not field.is_required() and field.default is not USE_KIND_DEFAULT:
            default = plain(field.get_default(call_default_factory=True))
            schema["properties"][name]["default"] = default
    return schema
