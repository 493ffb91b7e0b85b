"""The space of a search: which keys of a config vary, and between which values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, MinLen
from pydantic import ValidationError

from adframe.config.compose import set_node
from adframe.config.messages import problems_of
from adframe.config.option_types import Settings
from adframe.config.where import located
from adframe.config.yaml_tree import ConfigNode, read_file, to_yaml
from adframe.errors import Problem, UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: Keys that decide what is measured, and why they cannot vary.
FIXED = {
    "seed": "a search over seeds finds luck",
    "validation": "decides what the trials are compared on",
    "metrics": "decides what the trials are compared on",
}


class Range(Settings):
    """Numbers from ``low`` to ``high``; whole ones if both and the step are whole."""

    low: int | float
    high: int | float
    log: bool = False
    step: Annotated[int, Gt(0)] | Annotated[float, Gt(0)] | None = None


class Choices(Settings):
    """Any values, of which each trial has one."""

    choices: Annotated[list[Any], MinLen(1)]


@dataclass(frozen=True)
class Axis:
    """A key that varies.

    Attributes:
        key: the key, with dots.
        varies: between which values.
        nodes: the node of each choice; of a range the one of all.
    """

    key: str
    varies: Range | Choices
    nodes: Sequence[ConfigNode]

    def distribution(self) -> BaseDistribution:
        """What Optuna draws from; a choice is its text."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if isinstance(self.varies, Choices):
            return CategoricalDistribution(self.texts)
        of = self.varies
        numbers = [of.low, of.high, *([] if of.step is None else [of.step])]
        if all(isinstance(number, int) for number in numbers):
            return IntDistribution(int(of.low), int(of.high), log=of.log, step=int(of.step or 1))
        return FloatDistribution(of.low, of.high, log=of.log, step=of.step)

    @property
    def texts(self) -> list[str]:
        """The text of each choice."""
        return [yaml_of(node.plain()) for node in self.nodes]

    def node(self, drawn: Any) -> ConfigNode:
        """The value of the key for what Optuna has drawn."""
        if isinstance(self.varies, Choices):
            return self.nodes[self.texts.index(drawn)]
        return ConfigNode(drawn, self.nodes[0].origin)

    def ends(self) -> list[Any]:
        """What is tried before the search: each choice, or both ends."""
        if isinstance(self.varies, Choices):
            return list(self.texts)
        return [self.varies.low, self.varies.high]


def read_space(path: Path) -> list[Axis]:
    """The axes of a space file: ``KEY: {low: ..., high: ...}`` or ``KEY: {choices: [...]}``.

    Raises:
        UserError: it cannot be read, or holds no space; a line for each problem, with file and
            line.
    """
    node, problems, axes = read_file(path), list[Problem](), list[Axis]()
    for key, item in node.value.items():
        if problem := _fixed(key):
            problems.append(Problem((key,), problem))
            continue
        axis, found = _axis(key, item)
        problems += [Problem((key, *each.path), each.message) for each in found]
        axes += [axis] if axis else []
    if problems:
        raise located(problems, node)
    if not axes:
        raise UserError(f"{path}: holds no key to vary")
    return axes


def _fixed(key: str) -> str:
    parts = key.split(".")
    if not all(parts) or "+" in parts:
        return "is no key of a config"
    return FIXED.get(parts[0], "")


def _axis(key: str, item: ConfigNode) -> tuple[Axis | None, list[Problem]]:
    table = item.plain()
    if not isinstance(table, dict):
        return None, [Problem((), "write {low: ..., high: ...} or {choices: [...]}")]
    model = Choices if "choices" in table else Range
    try:
        varies: Any = model.model_validate(table)
    except ValidationError as error:
        return None, problems_of(error, model, table)
    if isinstance(varies, Choices):
        axis = Axis(key, varies, item.value["choices"].value)
        twice = len(set(axis.texts)) < len(axis.texts)
        return axis, [Problem(("choices",), "has a value twice")] if twice else []
    wrong = {
        "high": "must be above low" if varies.low >= varies.high else "",
        "low": "must be above 0 on a log scale" if varies.log and varies.low <= 0 else "",
        "step": _wrong_step(varies),
    }
    problems = [Problem((name,), text) for name, text in wrong.items() if text]
    return Axis(key, varies, [item]), problems


def _wrong_step(of: Range) -> str:
    if of.step is None:
        return ""
    if of.log:
        return "has no use on a log scale"
    steps = (of.high - of.low) / of.step
    return "" if abs(steps - round(steps)) < 1e-9 * max(1, steps) else "must lead from low to high"


def changed(tree: ConfigNode, axes: Sequence[Axis], drawn: dict[str, Any]) -> ConfigNode:
    """A config with the values of a trial, in the order of the space file.

    Raises:
        UserError: a key leads nowhere.
    """
    for axis in axes:
        tree = set_node(tree, axis.key.split("."), axis.node(drawn[axis.key]))
    return tree


def check_space(axes: Sequence[Axis], check: Callable[[dict[str, Any]], object]) -> None:
    """Try each choice and both ends of each range, the other keys at their first value.

    Args:
        axes: the space.
        check: gets what a trial would have drawn; raises a ``UserError``.

    Raises:
        UserError: a line for each problem.
    """
    first = {axis.key: axis.ends()[0] for axis in axes}
    lines: dict[str, None] = {}
    for axis in axes:
        for end in axis.ends():
            try:
                check({**first, axis.key: end})
            except UserError as error:
                lines |= dict.fromkeys(str(error).splitlines())
    if lines:
        raise UserError("\n".join(lines))


def plain(axes: Sequence[Axis]) -> dict[str, Any]:
    """The space as plain values."""
    return {axis.key: axis.varies.model_dump(exclude_none=True) for axis in axes}


def yaml_of(value: Any) -> str:
    """A plain value as YAML in one line."""
    return to_yaml([value], flow=True, width=10**6).strip()[1:-1]
