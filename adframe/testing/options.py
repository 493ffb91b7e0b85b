"""Checks of every component: its options have types, bounds and documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adframe.config.describe import argument_docs
from adframe.config.schema import model_of, schema_of, validate
from adframe.errors import PluginFault
from adframe.testing.subject import Subject


def is_a_schema(subject: Subject) -> None:
    """Every parameter is passed by name, and a config can hold its type."""
    try:
        model_of(subject.component)
    except PluginFault as error:
        raise AssertionError(str(error)) from error


def says_what_it_is(subject: Subject) -> None:
    """The docstring of the class begins with one line for ``adframe list``."""
    first = (subject.component.__doc__ or "").strip().partition("\n")[0]
    assert len(first) > 10, f"{subject.component.__qualname__} has no docstring"
    assert subject.entry.summary() == first, "the docstring has no first line for adframe list"


def describes_every_option(subject: Subject) -> None:
    """``Args:`` in the docstring of the class lists each parameter, and nothing else."""
    options = set(schema_of(model_of(subject.component))["properties"])
    described = {name for name, (_, text) in argument_docs(subject.component).items() if text}
    assert options <= described, (
        f"options missing under Args: {', '.join(sorted(options - described))}"
    )
    own = set(argument_docs(type("Own", (), {"__doc__": subject.component.__doc__})))
    assert own <= options, f"under Args: without such an option: {', '.join(sorted(own - options))}"


def bounds_every_number(subject: Subject) -> None:
    """Each number has a lower or upper bound, or a fixed choice."""
    schemas = schema_of(model_of(subject.component))["properties"]
    loose = [name for name, schema in schemas.items() if any(map(_is_loose, _parts(schema)))]
    assert not loose, f"numbers without bounds: {', '.join(loose)}"


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for key in ("anyOf", "prefixItems"):
            for part in schema.get(key, []):
                yield from _parts(part)
        for key in ("items", "additionalProperties"):
            yield from _parts(schema.get(key))


def _is_loose(schema: dict[str, Any]) -> bool:
    bounds = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "enum", "const"}
    return schema.get("type") in ("number", "integer") and not bounds & set(schema)


def dumps_and_reloads(subject: Subject) -> None:
    """A config that was written to a run folder can be read again and builds the component."""
    spec = subject.spec()
    table = spec.dump()
    read = json.loads(json.dumps(table))
    assert read.pop("name") == subject.entry.written
    again = validate(model_of(subject.component), read, subject.registry)
    assert type(spec)(subject.entry, again).dump() == table
    subject.make()
