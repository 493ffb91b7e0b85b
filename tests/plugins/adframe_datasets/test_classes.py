"""Naming classes."""

import pytest

from adframe.errors import UserError
from adframe_datasets.classes import named

MANY = [f"n{i:02d}-{name}" for i, name in enumerate(["Beagle", "Boxer", "Chihuahua", "Pug"] * 5)]


def test_all_by_default_and_each_once():
    assert named(None, ["a", "b"], "here", "normal") == ["a", "b"]
    assert named("b", ["a", "b"], "here", "normal") == ["b"]
    assert named(["b", "a", "b"], ["a", "b"], "here", "normal") == ["b", "a"]


def test_of_many_classes_the_nearest_are_told():
    with pytest.raises(UserError, match=r"no class 'chihuahua' in here; classes: n\d\d-Chihuahua"):
        named("chihuahua", MANY, "here", "normal")
    with pytest.raises(UserError, match=r"classes: n00-Beagle, .*n11-Pug, \.\.\.$"):
        named("zzzzz", MANY, "here", "without")


def test_an_empty_list_is_refused():
    with pytest.raises(UserError, match="^without: name at least one class"):
        named([], ["a"], "here", "without")
