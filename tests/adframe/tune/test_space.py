"""A space file: what it means, and one line with file and line for each mistake in it."""

import pytest

from adframe.config.yaml_tree import parse
from adframe.errors import UserError
from adframe.tune.space import changed, check_space, plain, read_space

SPACE = """
optimizer.lr: {low: 1e-3, high: 1.0, log: true}
train.batch_size: {low: 8, high: 64, step: 8}
dropout: {low: 0, high: 0.5, step: 0.25}
scorer: {choices: [knn, {name: kde, x: [1, 2]}, 1, "1"]}
"""


@pytest.fixture
def space_of(tmp_path):
    def space_of(text):
        (tmp_path / "space.yaml").write_text(text)
        return read_space(tmp_path / "space.yaml")

    return space_of


def test_each_key_has_its_distribution(space_of):
    rate, size, drop, scorer = (axis.distribution() for axis in space_of(SPACE))
    assert (rate.low, rate.high, rate.log, rate.step) == (1e-3, 1.0, True, None)
    assert (type(size).__name__, size.low, size.high, size.step) == ("IntDistribution", 8, 64, 8)
    assert (type(drop).__name__, drop.low, drop.high, drop.step) == (
        "FloatDistribution", 0.0, 0.5, 0.25,
    )  # fmt: skip
    assert scorer.choices == ("knn", "{name: kde, x: [1, 2]}", "1", "'1'")


def test_what_is_drawn_is_put_into_the_config(space_of):
    axes = space_of(SPACE)
    drawn = {"optimizer.lr": 0.1, "train.batch_size": 16, "dropout": 0.25, "scorer": "'1'"}
    tree = parse("{optimizer: {name: sgd}, scorer: {name: knn, k: 3}}", "x")
    assert changed(tree, axes, drawn).plain() == {
        "optimizer": {"name": "sgd", "lr": 0.1},
        "train": {"batch_size": 16},
        "dropout": 0.25,
        "scorer": "1",
    }
    drawn["scorer"] = "{name: kde, x: [1, 2]}"
    assert changed(tree, axes, drawn).plain()["scorer"] == {"name": "kde", "x": [1, 2]}
    assert plain(axes)["train.batch_size"] == {"low": 8, "high": 64, "log": False, "step": 8}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 3", "space.yaml:1: a: write {low"),
        ("\na: {low: 1}", "space.yaml:2: a.high: missing"),
        ("a: {low: 1, high: 2, lgo: true}", "a.lgo: .*did you mean"),
        ("a: {low: 2, high: 2}", "a.high: must be above low"),
        ("a: {low: 0, high: 2, log: true}", "a.low: must be above 0 on a log scale"),
        ("a: {low: 1, high: 2, log: true, step: 1}", "a.step: has no use on a log scale"),
        ("a: {low: 8, high: 12, step: 7}", "a.step: must lead from low to high"),
        ("a: {low: 0.1, high: 1.0, step: 0.2}", "a.step: must lead from low to high"),
        ("a: {low: 1, high: 2, step: 0}", "a.step: must be above 0"),
        ("a: {low: x, high: 2}", "a.low: must be a"),
        ("a: {choices: []}", "a.choices: "),
        ("a: {choices: [1, 1]}", "a.choices: has a value twice"),
        ("a..b: {choices: [1]}", "is no key of a config"),
        ("a.+: {choices: [1]}", "is no key of a config"),
        ("seed: {low: 0, high: 9}", "seed: a search over seeds finds luck"),
        ("validation.share: {low: 0.1, high: 0.5}", "decides what the trials are compared on"),
        ("{}", "holds no key to vary"),
        ("[1]", "must be a mapping"),
    ],
)
def test_a_mistake_is_one_line(space_of, text, line):
    with pytest.raises(UserError, match=line) as caught:
        space_of(text)
    assert "\n" not in str(caught.value)


def test_all_ends_are_tried_and_each_problem_is_named_once(space_of):
    tried = []

    def check(drawn):
        tried.append(drawn)
        if drawn["a"] == 9:
            raise UserError("too large")

    axes = space_of("{a: {low: 1, high: 9}, b: {choices: [x, y]}}")
    with pytest.raises(UserError, match="^too large$"):
        check_space(axes, check)
    assert tried == [{"a": 1, "b": "x"}, {"a": 9, "b": "x"}, {"a": 1, "b": "x"}, {"a": 1, "b": "y"}]
