"""Keys of a config that hold one component or several of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from adframe.config.messages import nested
from adframe.config.schema import Component, options_of, resolve
from adframe.config.specs import ComponentSpec
from adframe.errors import ConfigError, KeyPath, PluginFault, Problem, UserError
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

    A key of a mapping names a group if it is no option of the component, and its value is a mapping
    or a name. All other keys are of the component of all groups: a group that
    names no other component has its options, but for those that it sets itself.
    """

    def _validate(self, value: Any, registry: Registry | None) -> Any:
        groups = [] if registry is None else self._groups(value, registry)
        if registry is None or not groups:
            return super()._validate(value, registry)
        common = {key: item for key, item in value.items() if key not in groups}
        tables = {key: self._over(common, value[key]) for key in groups}
        items = [((key,), table) for key, table in tables.items()]
        return dict(zip(groups, _resolved(self.kind, items, registry), strict=True))

    def _groups(self, value: Any, registry: Registry) -> list[str]:
        """The keys of a mapping that name groups."""
        if not isinstance(value, Mapping) or not isinstance(value.get("name", ""), str):
            return []
        try:
            named = registry.get(self.kind, value["name"]) if "name" in value else None
            entry = named or registry.default(self.kind)
            options = {} if entry is None else options_of(entry).model_fields
        except (UserError, PluginFault):  # reported when the component is resolved
            return []
        others = [key for key in value if key != "name" and key not in options]
        found = [key for key in others if isinstance(value[key], Mapping | str)]
        sure = any(
            isinstance(of := value[key], Mapping) or self._known(of, registry) for key in found
        )
        return found if sure else []

    def _known(self, name: str, registry: Registry) -> bool:
        try:
            return bool(registry.get(self.kind, name))
        except UserError:
            return False

    @staticmethod
    def _over(common: Mapping[str, Any], group: Any) -> Any:
        table = {"name": group} if isinstance(group, str) else group
        named = table.get("name", common.get("name"))
        return {**common, **table} if named == common.get("name") else table


#: One optimizer for all groups of parameters, or the name of each group -> its optimizer.
Optimizers = Annotated[ComponentSpec | dict[str, ComponentSpec], Grouped("optimizer")]
