"""Keys of a config that hold one component or several of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from adframe.config.messages import nested
from adframe.config.schema import Component, options_of, resolve
from adframe.config.specs import ComponentSpec
from adframe.errors import ConfigError, KeyPath, Problem
from adframe.registry.registry import Registry


def _resolved(kind: str, items: Iterable[tuple[KeyPath, Any]], registry: Registry) -> list[Any]:
    """Validate several components; the problems of all are reported together."""
    problems, specs = list[Problem](), list[ComponentSpec]()
    for at, item in items:
        try:
            specs.append(resolve(kind, item, registry))
        except ConfigError as error:
            problems += [Problem((*at, *sub.path), sub.message) for sub in error.problems]
    if problems:
        raise nested(problems)
    return specs


def _one_or_many(value: Any, info: ValidationInfo) -> list[ComponentSpec]:
    """Validate one scorer or a list of scorers; the result is a list."""
    registry: Any = info.context
    if value == []:
        raise nested([Problem((), "name at least one scorer")])
    listed = isinstance(value, list)
    items = [((index,), item) for index, item in enumerate(value)] if listed else [((), value)]
    return _resolved("scorer", items, registry)


_SCORER = {"x-adframe-kind": "scorer"}
Scorers = Annotated[
    list[Annotated[ComponentSpec, Component("scorer")]],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [_SCORER, {"type": "array", "items": _SCORER, "minItems": 1}]}),
]


@dataclass(frozen=True)
class Grouped(Component):
    """Marks a field as a component, or a mapping of names to one component for each.

    A mapping is of the latter form if it has no ``name``, all its values are mappings, and no key
    is an option of the kind's default.
    """

    def _validate(self, value: Any, registry: Registry | None) -> Any:
        if registry is None or not self._is_grouped(value, registry):
            return super()._validate(value, registry)
        items = [((key,), item) for key, item in value.items()]
        return dict(zip(value, _resolved(self.kind, items, registry), strict=True))

    def _is_grouped(self, value: Any, registry: Registry) -> bool:
        if not isinstance(value, Mapping) or not value or "name" in value:
            return False
        if not all(isinstance(item, Mapping) for item in value.values()):
            return False
        default = registry.default(self.kind)
        return default is None or not set(value) & set(options_of(default).model_fields)


#: One optimizer for all groups of parameters, or the name of each group -> its optimizer.
Optimizers = Annotated[ComponentSpec | dict[str, ComponentSpec], Grouped("optimizer")]
