"""JSON Schema of configs, for editors and validators."""

from __future__ import annotations

from typing import Any

from adframe.config.describe import component_schema
from adframe.config.model import RunConfig
from adframe.config.option_types import Settings
from adframe.config.schema import options_of, schema_of
from adframe.config.set_name import with_set_name
from adframe.errors import PluginFault
from adframe.registry.registry import KINDS, Registry

NAMED = "named_"  # before the kind, in the name of the definition of a set that may have a name


def json_schema(registry: Registry) -> dict[str, Any]:
    """JSON Schema of a config, with the options of every component that can be imported.

    ``if``/``then`` on ``name`` selects the options of a component. So an editor reports one wrong
    option, not that no alternative fits.
    """
    schema = schema_of(RunConfig)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "adframe run"
    schema["properties"]["extends"] = {
        "description": "Configs that this one changes, base first: relative paths or names.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    # Required keys may come from a base config.
    definitions = schema.setdefault("$defs", {})
    for table in (schema, *(definitions[name] for name in ("Train", "Exposure", "Validation"))):
        table.pop("required", None)
    for kind in KINDS:
        definitions[kind] = _kind_schema(kind, registry)
    definitions[NAMED + "dataset"] = _kind_schema("dataset", registry, named=True)
    referenced: dict[str, Any] = _references(schema)
    return referenced


def _kind_schema(kind: str, registry: Registry, named: bool = False) -> dict[str, Any]:
    names, cases = [], []
    title = component_schema(with_set_name(Settings))["properties"] if named else {}
    for entry in registry:
        if entry.kind != kind or entry.name in names:
            continue
        try:
            options = component_schema(options_of(entry))
        except PluginFault:
            continue
        names.append(entry.name)
        known = {"enum": [entry.name, entry.qualified]}
        options["properties"] = {"name": known, **options["properties"]}
        options["properties"] |= {key: title[key] for key in title.keys() - options["properties"]}
        options.pop("required", None)  # they may come from a base config
        options.pop("title", None)
        when = {"properties": {"name": known}, "required": ["name"]}
        cases.append({"if": when, "then": options})
    name = {"anyOf": [{"enum": names}, {"pattern": ":"}]}  # or with the name of its plugin
    table = {"type": "object", "properties": {"name": name}, "allOf": cases}
    return {
        "description": KINDS[kind][1],
        "if": {"type": "string"},
        "then": name,
        "else": table,
    }


def _references(value: Any) -> Any:
    """The schema with each ``x-adframe-kind`` replaced by a reference to the kind's definition.

    If one alternative of ``anyOf`` is a component, ``if``/``then`` on the type replaces ``anyOf``.
    So a validator reports the wrong value inside of it, and not that no alternative fits.
    """
    if isinstance(value, list):
        return [_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "x-adframe-kind" in value:
        doc = {key: text for key, text in value.items() if key == "description"}
        place = (NAMED if "x-adframe-named" in value else "") + value["x-adframe-kind"]
        return {**doc, "$ref": f"#/$defs/{place}"}
    if "anyOf" in value and any(map(_holds_kind, value["anyOf"])):
        rest = {key: _references(item) for key, item in value.items() if key != "anyOf"}
        return {**rest, **_decide(value["anyOf"])}
    return {key: _references(item) for key, item in value.items()}


def _holds_kind(branch: dict[str, Any]) -> bool:
    return "x-adframe-kind" in branch or "x-adframe-kind" in branch.get("items", {})


def _decide(branches: list[dict[str, Any]]) -> dict[str, Any]:
    first, *rest = sorted(branches, key=lambda branch: "x-adframe-kind" in branch)
    made: dict[str, Any] = _references(first)
    if not rest:
        return made
    return {"if": {"type": first.get("type", "null")}, "then": made, "else": _decide(rest)}
