"""Each type that an option may have is held exactly, and each other one is the plugin's fault."""

import datetime
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, NewType

import pytest
import torch
from annotated_types import Gt
from pydantic import BaseModel, Field

from adframe.config.describe import describe
from adframe.config.json_schema import json_schema
from adframe.config.schema import resolve
from adframe.config.yaml_tree import escaped, parse, to_yaml
from adframe.errors import ConfigError, PluginFault
from adframe.interfaces import Scorer


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Word(enum.StrEnum):
    A = "a"
    B = "b"


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


class Bits(enum.Flag):
    A = 1


@dataclass
class Inner:
    color: Color = Color.RED
    sizes: tuple[int, ...] = (1, 2)


@dataclass
class Data:
    count: int = 1
    word: str = "x"
    inner: Inner = field(default_factory=Inner)
    scorer: Scorer | None = None


class Model(BaseModel):
    count: Annotated[int, Gt(0)] = 1
    data: Inner = Inner()


class Pair(NamedTuple):
    a: int = 1
    b: float = 2.0


class Table(typing.TypedDict):
    a: int
    b: typing.NotRequired[str]


Id = NewType("Id", int)


def name_of(value):
    """The same text in every process of the tests."""
    return str(value).partition(" at 0x")[0]


class Plain(Scorer):
    """A scorer whose constructor a test gives."""

    def fit(self, features):
        raise NotImplementedError

    def score(self, features):
        raise NotImplementedError


def scorer_with(hint, default=...):
    def with_default(self, x):
        self.x = x

    with_default.__annotations__ = {"x": hint}
    with_default.__defaults__ = () if default is ... else (default,)
    return type("Given", (Plain,), {"__init__": with_default})


@pytest.fixture
def of(host_of, toys):
    """``of(hint, default)`` registers a scorer of one option, and resolves values of it."""

    def of(hint, default=...):
        others = [(e.kind, e.name, e.target, e.default) for e in toys.registry]
        others = [other if other[3] else other[:3] for other in others]
        loaded = host_of(*others, ("scorer", "given", scorer_with(hint, default)))

        def read(**options):
            return resolve("scorer", {"name": "given", **options}, loaded.registry)

        read.registry = loaded.registry
        return read

    return of


HELD = [
    (bool, True, False),
    (int, 3, 4),
    (float, 0.5, 1e-3),
    (str, "a\nb ${X} #c", "@x"),
    (int | None, None, 3),
    (Path, Path("d"), "a/b"),
    (list[Path], [Path("d")], ["a"]),
    (Literal["a", 1, None], None, 1),
    (Color, Color.RED, "blue"),
    (Color | None, None, "blue"),
    (list[Color], [Color.RED], ["blue", "red"]),
    (Word, Word.A, "b"),
    (Number, Number.ONE, "TWO"),
    (set[int], {3, 1, 20}, [5, 4]),
    (frozenset[str], frozenset({"b", "a"}), ["c"]),
    (set[Color], {Color.RED}, ["blue"]),
    (tuple[int, str], (1, "a"), [2, "b"]),
    (Pair, Pair(), [3, 4.5]),
    (Sequence[str], ("a",), ["b"]),
    (list, [1, "a", [None]], [{"a": 1}]),
    (dict, {"a": [1]}, {"b": {}}),
    (dict[str, float], {"a": 1.0}, {"1": 2.0}),
    (Mapping[str, int], {}, {"b": 2}),
    (dict[Literal["a", "b"], int], {"a": 1}, {"b": 2}),
    (Table, {"a": 1}, {"a": 2, "b": "c"}),
    (Data, Data(), {"count": 2, "inner": {"color": "blue", "sizes": []}}),
    (Data | None, None, {"word": "y"}),
    (list[Data], [Data(2)], [{}]),
    (Model, Model(), {"count": 3, "data": {"sizes": [4]}}),
    (datetime.date, datetime.date(2024, 1, 1), "2024-02-02"),
    (datetime.datetime, datetime.datetime(2024, 1, 1, 12, 30), "2024-02-02T10:00:00"),
    (Decimal, Decimal("0.1"), "0.30"),
    (Any, {"a": [1, None]}, 3),
    (Final[int], 1, 2),
    (Id, Id(1), 2),
    (Annotated[float, Field(gt=0)], 1.0, 2.0),
]


@pytest.mark.parametrize(("hint", "default", "given"), HELD)
def test_a_value_comes_back_from_yaml_as_it_is(of, hint, default, given):
    read = of(hint, default)
    for spec in (read(), read(x=given)):
        text = to_yaml(escaped(spec.dump()))
        again = read(**{"x": parse(text, "", folder=Path()).plain()["x"]})
        seen, back = spec.build().x, again.build().x
        assert again.dump() == spec.dump()
        assert type(back) is type(seen)
        assert back == seen
    assert read().build().x == default
    assert type(read().build().x) is type(default)
    assert (
        describe(read.registry.get("scorer", "given"))["options"][0]["default"]
        == (read().dump()["x"])
    )
    assert "given" in str(json_schema(read.registry))


@pytest.mark.parametrize(
    "hint",
    [bytes, complex, datetime.timedelta, torch.Tensor, torch.dtype, torch.nn.Module, type[Scorer],
     Callable, Callable[[int], int], typing.Callable, Final, typing.TypeVar("T"), Bits,
     dict[int, float], dict[Color, int], Literal[b"x"], list[bytes], bytes | None,
     Annotated[bytes, "doc"], dict[str, bytes], "NoSuchName", range, object()],
    ids=name_of,
)  # fmt: skip
def test_a_type_that_no_config_holds_is_the_plugins_fault_and_named(of, hint):
    read = of(hint)
    with pytest.raises(ConfigError) as caught:
        read(x=1)
    (problem,) = caught.value.problems
    assert "scorer 'given' of plugin 'test': " in problem.message
    assert "\n" not in str(problem)
    with pytest.raises(PluginFault):
        describe(read.registry.get("scorer", "given"))
    assert "'given'" not in str(json_schema(read.registry))
    assert "toy_scorer" in str(json_schema(read.registry))


@pytest.mark.parametrize(
    ("hint", "default"),
    [(int, None), (int, 1.5), (float, float("inf")), (list[int], (1, 2)), (Data, None),
     (Any, object()), (Any, (1, 2)), (Any, float("nan")), (Any, {1: 2}), (Any, torch.ones(2)),
     (str | Path, Path("a")), (Annotated[float, Gt(0)], 0.0), (Color, "green"), (Path, "")],
    ids=name_of,
)  # fmt: skip
def test_a_default_that_does_not_come_back_is_the_plugins_fault(of, hint, default):
    with pytest.raises(ConfigError) as caught:
        of(hint, default)(x=1)
    (problem,) = caught.value.problems
    assert "scorer 'given' of plugin 'test': " in problem.message
    assert "parameter 'x' has a default that" in problem.message


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Color, "gren", "x: must be one of 'red' or 'blue', not 'gren'"),
        (Color, "RED", "x: must be one of 'red' or 'blue', not 'RED'"),
        (Number, 2, "x: must be one of 'ONE' or 'TWO', not 2"),
        (Color, ["red"], "x: must be one of 'red' or 'blue', not ['red']"),
        (Data, {"cuont": 1}, "x.cuont: unknown key; did you mean 'count'?"),
        (Data, {"inner": {"colour": 1}}, "x.inner.colour: unknown key; did you mean 'color'?"),
        (Data, {"inner": {"color": "x"}}, "x.inner.color: must be one of 'red' or 'blue', not 'x'"),
        (Data, 3, "x: must be a mapping of keys, not 3"),
        (Model, {"count": 0}, "x.count: must be above 0, not 0"),
        (Model, {"data": {"sizes": ["1"]}}, "x.data.sizes.0: must be a whole number, not '1'"),
        (Data, {"scorer": {"name": "toy_scorer", "views": 0}}, "x.scorer.views: must be 1 or more"),
        (set[int], [1, 1], "x: must have each item once, not [1, 1]"),
        (set[int], 3, "x: must be a list, not 3"),
        (Path, "", "x: must be a path, not ''"),
        (datetime.date, 3, "x: must be a date, not 3"),
        (Pair, [1, "b"], "x.1: must be a number, not 'b'"),
        (Table, {"a": "1"}, "x.a: must be a whole number, not '1'"),
    ],
    ids=str,
)
def test_what_an_option_refuses_is_located(of, hint, value, message):
    with pytest.raises(ConfigError) as caught:
        of(hint)(x=value)
    assert str(caught.value).startswith(message)


def test_a_component_in_a_dataclass_is_built(of):
    made = of(Data)(x={"scorer": {"name": "toy_scorer", "views": 3}}).build().x
    assert isinstance(made, Data)
    assert made.scorer.views == 3


def test_what_a_plugins_class_refuses_is_a_problem_of_the_config(of):
    @dataclass
    class Picky:
        a: int = 1

        def __post_init__(self):
            if self.a > 1:
                raise ValueError("a: at most 1")

    read = of(Picky, Picky())
    assert read().build().x == Picky()
    with pytest.raises(ConfigError, match="x: a: at most 1"):
        read(x={"a": 2}).build(())
