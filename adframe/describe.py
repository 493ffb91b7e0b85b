"""Components and configs described for people and editors: documentation and JSON Schema."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import BaseModel

from adframe.config import RunConfig
from adframe.errors import PluginFault
from adframe.registry import KINDS, Entry, Registry
from adframe.schema import DEFAULT, model_of

_ARGUMENT = re.compile(r"^(\w+):\s*(?:\[([^\]]*)\]\s*)?(.*)$")


def argument_docs(component: type) -> dict[str, tuple[str, str]]:
    """Parameter -> (provenance, text) from the ``Args:`` sections of a class and its bases.

    Provenance is what stands in brackets before the text, as ``[published: 0.5]``. What a base
    class documents need not be said again.
    """
    documented: dict[str, tuple[str, str]] = {}
    for base in reversed(component.__mro__):
        documented |= _arguments(inspect.cleandoc(vars(base).get("__doc__") or ""))
    return documented


def _arguments(text: str) -> dict[str, tuple[str, str]]:
    section = re.split(r"\n(?=\S)", text.partition("\nArgs:\n")[2])[0]
    found: dict[str, list[str]] = {}
    provenance: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(section).splitlines():
        match = None if line.startswith(" ") else _ARGUMENT.match(line)
        if match:
            name = match[1]
            provenance[name], found[name] = match[2] or "", [match[3]]
        elif name:
            found[name].append(line.strip())
    return {name: (provenance[name], " ".join(words)) for name, words in found.items()}


def describe(entry: Entry) -> dict[str, Any]:
    """All that ``adframe show`` tells of a component.

    Raises:
        PluginFault: it cannot be imported, or its constructor is no schema.
    """
    component = entry.load()
    model, docs = model_of(component), argument_docs(component)
    text = inspect.getdoc(component) or ""
    summary, _, rest = text.partition("\n")
    schema = _schema_of(model)["properties"]
    options = []
    for name, field in model.model_fields.items():
        provenance, doc = docs.get(name, ("", ""))
        nested = field.default is DEFAULT
        options.append(
            {
                "name": name,
                "type": _words(schema.get(name, {})),
                "required": field.is_required(),
                "default": "the kind's default" if nested else _default(field),
                "schema": schema.get(name, {}),
                "provenance": provenance,
                "doc": doc,
            }
        )
    return {
        "kind": entry.kind,
        "name": entry.name,
        "plugin": entry.plugin.name,
        "version": entry.plugin.version,
        "source": inspect.getsourcefile(component) or "",
        "summary": summary,
        "text": rest.partition("\nArgs:\n")[0].strip(),
        "options": options,
    }


_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def _words(schema: dict[str, Any]) -> str:
    """A JSON Schema type in a few words: ``number > 0``, ``list of path``."""
    if "x-adframe-kind" in schema:
        return str(schema["x-adframe-kind"])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return "one of " + ", ".join(str(value) for value in values)
    if "anyOf" in schema:
        return " or ".join(_words(branch) for branch in schema["anyOf"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return "[" + ", ".join(_words(item) for item in schema["prefixItems"]) + "]"
        return "list of " + _words(schema.get("items", {}))
    name = {"null": "null", "string": "text", "boolean": "true or false"}.get(
        schema.get("type", ""), schema.get("type", "anything")
    )
    name = schema.get("format", name)
    bounds = [f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema]
    return " ".join([name, *bounds])


def _default(field: Any) -> Any:
    return None if field.is_required() else field.default


def json_schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema of a config, knowing every component that can be imported.

    Components of one kind are told apart by ``if``/``then`` on ``name``, so that an editor names
    the wrong option and not every alternative.
    """
    schema = _schema_of(RunConfig)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "adframe run"
    schema["properties"]["extends"] = {
        "description": "Configs this one is laid upon, base first; relative to this file.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    # What a base may bring is not missing here.
    schema.pop("required", None)
    definitions = schema.setdefault("$defs", {})
    for kind in KINDS:
        definitions[kind] = _kind_schema(kind, registry)
    referenced: dict[str, Any] = _references(schema)
    return referenced


def _kind_schema(kind: str, registry: Registry) -> dict[str, Any]:
    names, cases = [], []
    for entry in registry:
        if entry.kind != kind or entry.name in names:
            continue
        try:
            model = model_of(entry.load())
        except PluginFault:
            continue
        names.append(entry.name)
        options = _schema_of(model)
        options["properties"] = {"name": {"const": entry.name}, **options["properties"]}
        options.pop("required", None)  # a table laid upon a base names only what changes
        options.pop("title", None)
        when = {"properties": {"name": {"const": entry.name}}, "required": ["name"]}
        cases.append({"if": when, "then": options})
    table = {"type": "object", "properties": {"name": {"enum": names}}, "allOf": cases}
    return {
        "description": KINDS[kind][1],
        "if": {"type": "string"},
        "then": {"enum": names},
        "else": table,
    }


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    import warnings

    with warnings.catch_warnings():  # "the kind's default" has no JSON form, and needs none
        warnings.simplefilter("ignore")
        schema = model.model_json_schema()
    schema.setdefault("properties", {})
    return schema


def _references(value: Any) -> Any:
    """The schema with each mark of a kind replaced by a reference to that kind's definition."""
    if isinstance(value, dict):
        if "x-adframe-kind" in value:
            return {"$ref": f"#/$defs/{value['x-adframe-kind']}"}
        return {key: _references(item) for key, item in value.items()}
    return [_references(item) for item in value] if isinstance(value, list) else value
