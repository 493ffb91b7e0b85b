"""A component under test: its class, its options, and new instances of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from unittest import SkipTest

import torch

from adframe.config.describe import is_required
from adframe.config.schema import model_of, schema_of, validate
from adframe.config.specs import ComponentSpec
from adframe.errors import ConfigError
from adframe.registry.registry import Entry, Registry

#: Kinds whose other options may need downloads or gigabytes: tested only with the options given.
_AS_GIVEN = ("dataset", "backbone")


@dataclass(frozen=True)
class Subject:
    """One component with some options.

    Attributes:
        entry: the component.
        registry: where components nested in it are looked up.
        options: as a config would give them.
        variant: the option that differs from those given, as ``mode=soft``; or empty.
        image_size: side in pixels of the images that methods are tested with.
    """

    entry: Entry
    registry: Registry
    options: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    image_size: int = 16

    def __str__(self) -> str:
        return "-".join(filter(None, [self.entry.kind, self.entry.name, self.variant]))

    @cached_property
    def component(self) -> type:
        """Class of the component."""
        return self.entry.load()

    def spec(self, **changes: Any) -> ComponentSpec:
        """The component with its validated options.

        Raises:
            unittest.SkipTest: a required option is not given.
        """
        options = {**self.options, **changes}
        model = model_of(self.component)
        lacking = [
            name
            for name, option in model.model_fields.items()
            if name not in options and is_required(option, self.registry)
        ]
        if lacking:
            raise SkipTest(f"{self} needs options: {', '.join(lacking)}")
        return ComponentSpec(self.entry, validate(model, options, self.registry))

    def make(self, seed: int = 0) -> Any:
        """A new instance, its weights drawn from a seed.

        Raises:
            unittest.SkipTest: as for ``spec``; the constructor refuses a variant; or a package is
                not installed.
        """
        torch.manual_seed(seed)
        try:
            return self.spec().build()
        except ConfigError as error:
            if isinstance(error.__cause__, ImportError):
                raise SkipTest(str(error)) from error
            if self.variant:
                raise SkipTest(f"{self} is refused: {error}") from error
            raise AssertionError(f"{self} is refused: {error}") from error

    def variants(self) -> Iterator[Subject]:
        """The subject and one more for each other value of every option with fixed choices."""
        yield self
        if self.entry.kind in _AS_GIVEN:
            return
        for name, schema in schema_of(model_of(self.component))["properties"].items():
            choice = [False, True] if schema.get("type") == "boolean" else schema.get("enum", [])
            for value in choice:
                if name not in self.options and value != schema.get("default"):
                    changed = {**self.options, name: value}
                    yield replace(self, options=changed, variant=f"{name}={value}")


def close(found: torch.Tensor, expected: torch.Tensor, what: str, rtol: float = 1e-4) -> None:
    """Assert that two tensors are equal except for rounding."""
    assert found.shape == expected.shape, (
        f"{what}: shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
    )
    scale = expected.abs().max().item() if expected.numel() else 0.0
    apart = (found.double() - expected.double()).abs().max().item() if found.numel() else 0.0
    assert apart <= rtol * max(scale, 1e-2), f"{what}: {apart:.3g} apart, of up to {scale:.3g}"


def devices() -> list[torch.device]:
    """The devices of this machine: the CPU, and CUDA if there is one."""
    return [torch.device(name) for name in ["cpu", *(["cuda"] * torch.cuda.is_available())]]
