"""Components with validated options, and how they are written to a config."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel

from adframe.config.option_types import Record, choice_of
from adframe.config.yaml_tree import map_tree
from adframe.errors import ConfigError, KeyPath, Problem, problem_at
from adframe.registry.blame import out_of_memory
from adframe.registry.process_state import unchanged
from adframe.registry.registry import Entry

#: Default of a component that the config does not set: the registry's default of its kind.
USE_KIND_DEFAULT: Any = object()


@dataclass(frozen=True)
class ComponentSpec:
    """A component with validated options, not yet built.

    Attributes:
        entry: which component it is.
        options: its options.
        set_name: name that the config gives a set of outliers; empty without one.
        written: the name with that of its plugin, as the config has it; empty for a plain name.
    """

    entry: Entry
    options: dict[str, Any]
    set_name: str = ""
    written: str = ""

    @property
    def names(self) -> dict[str, str]:
        """The keys of the config mapping that are no options, with a plain name."""
        title = {"set_name": self.set_name} if self.set_name else {}
        return {"name": self.entry.name, **title}

    def dump(self) -> dict[str, Any]:
        """The component as a config mapping, with defaults."""
        name = self.written or self.entry.written
        return {**self.names, "name": name, **plain(self.options)}

    def build(
        self, path: KeyPath = (), built: dict[KeyPath, tuple[ComponentSpec, Any]] | None = None
    ) -> Any:
        """A new instance.

        Args:
            path: where it stands in the config.
            built: gets the instance, and those of all components among its options, by path.

        Raises:
            ConfigError: the constructor refuses the options (ValueError), or lacks a package
                (ImportError); located at ``path``.
        """

        def build(value: Any, at: KeyPath) -> Any:
            if isinstance(value, ComponentSpec):
                return value.build(at, built)
            if isinstance(value, Record):
                keys = {name: map_tree(item, build, (*at, name)) for name, item in value}
                with problem_at(at, ValueError):
                    return type(value).adframe_target(**keys)
            return value

        options = map_tree(self.options, build, path)
        with problem_at(path, ValueError), unchanged(self.entry.who):
            try:
                instance = self.entry.load()(**options)
            except ImportError as error:
                if out_of_memory(error):
                    raise
                text = f"{self.entry.name} needs what is not installed: {error}"
                raise ConfigError([Problem(path, text)]) from error
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
        if isinstance(value, Enum):
            return choice_of(value)
        if isinstance(value, set | frozenset):
            return sorted(map(plain, value), key=lambda item: (type(item).__name__, str(item)))
        return value if isinstance(value, bool | int | float | str | None) else str(value)

    return map_tree(value, leaf, sequence=list)
