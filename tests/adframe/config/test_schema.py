import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Len
from pydantic import BaseModel
from torch import Tensor, nn

from adframe.config.schema import ComponentSpec, model_of, resolve
from adframe.errors import ConfigError, PluginFault
from adframe.interfaces import Count, Scorer


class Plain(Scorer):
    """A scorer whose constructor a test gives."""

    def fit(self, features):
        raise NotImplementedError

    def score(self, features):
        raise NotImplementedError


def scorer_with(constructor):
    return type("Given", (Plain,), {"__init__": constructor})


@pytest.fixture
def resolved(host_of, toys):
    """Resolves options of a scorer with the constructor given, beside the toys."""

    def resolved(constructor, **options):
        others = [(e.kind, e.name, e.target, e.default) for e in toys.registry]
        others = [other if other[3] else other[:3] for other in others]
        loaded = host_of(*others, ("scorer", "given", scorer_with(constructor)))
        return resolve("scorer", {"name": "given", **options}, loaded.registry)

    return resolved


@pytest.fixture
def problem(resolved):
    """The one problem of such options."""

    def problem(constructor, **options):
        with pytest.raises(ConfigError) as caught:
            resolved(constructor, **options)
        (found,) = caught.value.problems
        return str(found)

    return problem


# --- faults of a plugin -------------------------------------------------------------------------


def _unannotated(self, a: int, b=3):
    pass


def _variadic(self, a: int, *rest: int):
    pass


def _keywords(self, **options: int):
    pass


def _positional(self, a: int, /):
    pass


def _unresolved(self, a: "NoSuchName"):  # noqa: F821
    pass


def _no_syntax(self, a: "1 +"):  # noqa: F722
    pass


def _tensor(self, a: Tensor):
    pass


@pytest.mark.parametrize(
    ("constructor", "message"),
    [
        (_unannotated, "Given: constructor parameter 'b' has no annotation"),
        (_variadic, "Given: constructor parameter 'rest' is not passed by name"),
        (_keywords, "Given: constructor parameter 'options' is not passed by name"),
        (_positional, "Given: constructor parameter 'a' is not passed by name"),
        (_unresolved, "Given: constructor: an annotation cannot be resolved: name 'NoSuchName'"),
        (_no_syntax, "Given: constructor: an annotation cannot be resolved: "),
        (_tensor, "Given: constructor parameter 'a': Tensor is a type that no config can hold"),
    ],
)
def test_a_constructor_that_is_no_schema_is_the_plugins_fault(constructor, message, problem):
    with pytest.raises(PluginFault) as caught:
        model_of(scorer_with(constructor))
    assert message in str(caught.value)
    assert message in problem(constructor)


@pytest.mark.parametrize(
    "name", ["name", "copy", "json", "schema", "model_fields", "dict", "_hidden"]
)
def test_a_parameter_may_not_shadow_what_pydantic_uses(name):
    assert name in ("name", "_hidden") or hasattr(BaseModel, name)
    scope = {}
    exec(f"def __init__(self, {name}: int = 1): pass", scope)
    with pytest.raises(
        PluginFault, match=f"parameter '{name}' has a name that adframe or pydantic"
    ):
        model_of(scorer_with(scope["__init__"]))


@pytest.mark.parametrize("base", [Plain, type("Module", (nn.Module,), {})])
def test_a_component_without_a_constructor_has_no_options(base):
    assert model_of(base).model_fields == {}


def test_an_inherited_constructor_is_the_schema_too():
    class Child(scorer_with(lambda self: None)):
        pass

    def constructor(self, a: int = 3):
        pass

    class Other(scorer_with(constructor)):
        pass

    assert list(model_of(Child).model_fields) == []
    assert list(model_of(Other).model_fields) == ["a"]


def test_a_dataclass_is_a_component():
    @dataclass
    class Data(Plain):
        views: Count = 2

    assert model_of(Data).model_fields["views"].default == 2


def test_a_factory_of_a_dataclass_makes_the_default():
    @dataclass
    class Made(Plain):
        views: list[int] = field(default_factory=lambda: [1, 2])
        limits: dict[str, float] = field(default_factory=dict)

    class Child(Made):
        pass

    for component in (Made, Child):
        fields = model_of(component).model_fields
        assert (fields["views"].default, fields["limits"].default) == ([1, 2], {})


# --- types --------------------------------------------------------------------------------------

TYPES = {
    "a": int,
    "b": float,
    "c": bool,
    "d": str,
    "e": Path,
    "f": list[float],
    "g": tuple[int, str],
    "h": tuple[int, ...],
    "i": dict[str, int],
    "j": Literal["x", 2],
    "k": Annotated[list[Annotated[int, Ge(0)]], Len(1, 2)],
    "l": list[list[int]],
    "m": int | str,
    "n": Path | None,
    "o": float | list[float],
    "p": tuple,
}
VALUES = [
    (1, "abmo"),
    (1.5, "bo"),
    (True, "c"),
    ("x", "dejmn"),
    ([1], "fhklop"),
    ([], "fhlop"),
    ([1, "x"], "gp"),
    ([[1], []], "lp"),
    ({"k": 1}, "i"),
    (None, "n"),
    ([-1], "fhop"),
]


@pytest.mark.parametrize(("name", "row"), list(itertools.product(TYPES, VALUES)))
def test_types_take_their_values_and_no_others(resolved, name, row):
    def constructor(self, given):
        self.given = given

    value, fitting = row
    if (name, value) == ("l", [1]):
        fitting = fitting.replace("l", "")
    constructor.__annotations__ = {"given": TYPES[name]}
    if name in fitting:
        spec = resolved(constructor, given=value)
        assert spec.dump() == {"name": "given", "given": value}
        built = spec.build().given
        plain = str(built) if isinstance(built, Path) else built
        assert (list(plain) if isinstance(plain, tuple) else plain) == value
        if name in "gh":
            assert isinstance(built, tuple)
        if name == "e":
            assert isinstance(built, Path)
    else:
        with pytest.raises(ConfigError) as caught:
            resolved(constructor, given=value)
        assert {problem.path[0] for problem in caught.value.problems} == {"given"}


@pytest.mark.parametrize(
    ("hint", "given", "told"),
    [
        (Literal[1], True, "must be one of 1, not true"),
        (Literal[1], 1.0, "must be one of 1, not 1.0"),
        (Literal[1, 2], "1", "must be one of 1 or 2, not '1'"),
        (Literal[True], 1, "must be one of True, not 1"),
        (Literal[0, "x", None], False, "must be one of 0, 'x' or None, not false"),
        (list[Literal[90, 1]], [90, True], "must be one of 90 or 1, not true"),
        (Literal[1] | str, True, "must be one of 1, not true"),
    ],
)
def test_a_literal_is_not_what_merely_equals_it(resolved, hint, given, told):
    def constructor(self, given):
        self.given = given

    constructor.__annotations__ = {"given": hint}
    with pytest.raises(ConfigError) as caught:
        resolved(constructor, given=given)
    assert [problem.message for problem in caught.value.problems] == [told]


@pytest.mark.parametrize("given", [1, True, None, "x", 1.5])
def test_a_literal_stays_of_its_type_beside_its_equals(resolved, given):
    def constructor(self, given):
        self.given = given

    constructor.__annotations__ = {"given": Literal[1, True, None, "x"] | float}
    built = resolved(constructor, given=given).build().given
    assert (type(built), built) == (type(given), given)


# --- nesting ------------------------------------------------------------------------------------


def _nests(
    self,
    one: Scorer,
    maybe: Scorer | None = None,
    many: list[Scorer] | None = None,
    table: dict[str, Scorer] | None = None,
    pair: tuple[Scorer, int] | None = None,
    named: Scorer = "toy_wrap",
):
    vars(self).update(locals())


def test_components_nest_everywhere_and_are_built(resolved):
    nested = {"name": "toy_scorer", "views": 3}
    spec = resolved(
        _nests, maybe=nested, many=["toy_scorer", nested], table={"a": nested}, pair=[nested, 2]
    )
    default = {"name": "toy_scorer", "views": 1}
    assert spec.dump() == {
        "name": "given",
        "one": default,
        "maybe": nested,
        "many": [default, nested],
        "table": {"a": nested},
        "pair": [nested, 2],
        "named": {"name": "toy_wrap", "of": default, "also": None},
    }
    built = spec.build()
    assert (built.one.views, built.maybe.views) == (1, 3)
    assert [each.views for each in built.many] == [1, 3]
    assert (built.table["a"].views, built.pair[0].views, built.pair[1]) == (3, 3, 2)
    assert built.named.of.views == 1
    assert spec.build().one is not built.one


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"one": None}, "one: expected a scorer: its name, or a mapping with 'name'"),
        ({"maybe": "toy_scorr"}, "maybe: no scorer named 'toy_scorr'; did you mean 'toy_scorer'?"),
        ({"maybe": {"name": "toy_scorr"}}, "maybe.name: no scorer named 'toy_scorr'; did you"),
        ({"many": ["toy_scorer", {"name": "toy_scorer", "views": 0}]}, "many.1.views: must be 1"),
        ({"table": {"a": {"name": "toy_scorer", "veiws": 1}}}, "table.a.veiws: unknown key; did"),
        ({"pair": [{"name": "toy_scorer", "views": 0}, 1]}, "pair.0.views: must be 1 or more"),
        ({"one": {"name": "toy_wrap", "of": {"name": "toy_wrap", "of": {"name": "toy_scorer",
          "views": "x"}}}}, "one.of.of.views: must be a whole number, not 'x'"),
    ],
)  # fmt: skip
def test_problems_of_nested_components_have_their_path(problem, options, expected):
    assert problem(_nests, **options).startswith(expected)


def test_a_default_that_breaks_its_own_bounds_is_named(problem):
    def constructor(self, views: Count = 0):
        pass

    assert problem(constructor).endswith(
        "Given: constructor parameter 'views' has a default that it refuses: must be 1 or more, "
        "not 0"
    )


def test_problems_of_several_options_come_together(toys):
    table = {"name": "toy_loss", "temperature": -1, "mode": "plainly", "lable": "x"}
    with pytest.raises(ConfigError) as caught:
        resolve("loss", table, toys.registry)
    assert {problem.path for problem in caught.value.problems} == {
        ("temperature",), ("mode",), ("lable",)
    }  # fmt: skip


def test_only_the_component_that_is_named_is_imported(host_of, toys):
    target = toys.registry.get("shift", "toy_shift").target
    loaded = host_of(("shift", "good", target), ("shift", "bad", "no_such_module:A"))
    assert isinstance(resolve("shift", "good", loaded.registry), ComponentSpec)
    with pytest.raises(ConfigError, match="shift 'bad' of plugin 'test' cannot be imported from"):
        resolve("shift", "bad", loaded.registry)


def test_a_refusal_of_a_nested_constructor_is_located(toys):
    table = {"name": "toy_mean", "of": ["toy_scorer", {"name": "toy_wrap", "of": "toy_scorer"}]}
    table["of"][1]["of"] = {"name": "toy_scorer", "views": 13}
    spec = resolve("scorer", table, toys.registry)
    with pytest.raises(ConfigError) as caught:
        spec.build(("scorer", 2))
    assert str(caught.value) == "scorer.2.of.1.of: thirteen is refused"


def test_other_errors_of_a_constructor_are_faults_and_keep_their_traceback(resolved):
    def constructor(self):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        resolved(constructor).build()
