"""What a scorer learned is saved without pickle and comes back equal, or is refused by name."""

import math
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from adframe.engine.learned import pack, unpack
from adframe.errors import UserError
from adframe.interfaces import Scorer
from adframe.io.tensors import read_tensors, write_tensors


class Learner(Scorer):
    """A scorer that learns what it is told to."""

    def __init__(self, k: int = 1, transform: object = None) -> None:
        self.k = k
        self.transform = transform
        self.place = None

    def fit(self, features):
        for name, value in features.items():
            setattr(self, name, value)

    def score(self, features):
        return features["x"]


def same(a, b):
    """Whether two values have the same type and, by an explicit walk, the same content."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and bool(np.all(a == b))
    return a == b or (a != a and b != b)


VALUES = [
    3,
    -(2**70),
    0.1,
    math.inf,
    math.nan,
    True,
    "text ü \x00",
    [1, 2.5, "x", None, [True]],
    (1, (2, [3])),
    {"a": 1, "b": {"c": (1, 2)}, "array": 0},
    {2: "a", None: 2, True: 3},
    np.arange(6.0).reshape(2, 3),
    np.arange(4, dtype=">i2"),
    np.array(7, dtype=np.uint8),
    np.float32(0.1),
    np.int64(-3),
    np.array([True, False]),
    torch.arange(3),
    torch.zeros(0, 4),
    [torch.ones(2), {"x": torch.zeros(1), "y": np.ones(2)}],
    ([],),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_comes_back_equal_through_a_file(tmp_path, value):
    fitted = Learner()
    fitted.fit({"place": value, "other": torch.ones(1)})
    tensors, values = pack(fitted, "learner")
    write_tensors(tmp_path / "x", tensors, {"values": values})
    tensors, facts = read_tensors(tmp_path / "x")
    again = Learner()
    again.restore(unpack(tensors, facts["values"]))
    if isinstance(value, np.ndarray) and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    assert same(again.place, value)
    assert torch.equal(again.other, torch.ones(1))


class Pair(NamedTuple):
    a: int


REFUSED = [
    threading.Lock(), lambda: 1, {1, 2}, b"bytes", Path("x"), 1j, object(), Pair(1), [Path("x")],
    {"a": {"b": object()}}, {(1, 2): 3}, np.array(["x"]), np.array([None]),
    torch.zeros(2).to_sparse(), torch.zeros(2, device="meta"), range(3), torch.float32,
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_no_file_can_hold_is_refused_by_name(value):
    fitted = Learner()
    fitted.fit({"odd": value})
    with pytest.raises(UserError, match=r"^scorer learner: 'odd' cannot be saved, it holds a "):
        pack(fitted, "learner")


def test_a_private_attribute_that_cannot_be_saved_is_a_cache():
    fitted = Learner()
    fitted.fit({"_index": object(), "bank": torch.ones(1)})
    assert pack(fitted, "learner") == ({"bank": fitted.bank}, {})


def test_options_are_not_state_and_fit_may_not_change_them():
    fitted = Learner(k=2)
    fitted.fit({"bank": torch.ones(1)})
    assert list(fitted.state()) == ["bank"]
    fitted.fit({"k": 3})
    with pytest.raises(UserError, match="scorer learner: fit changes 'k', an option"):
        pack(fitted, "learner")


@pytest.mark.parametrize(
    "name", ["k", "fit", "view_spec", "__class__", "_adframe_given", "a b", "needs_exposed"]
)
def test_nothing_but_what_fit_sets_is_restored(name):
    with pytest.raises(ValueError, match="is not part of the state of this scorer"):
        Learner().restore({name: torch.ones(1)})


@pytest.mark.parametrize("values", [
    {"x": {"tensor": "gone"}}, {"x": {"odd": 1}}, {"x": {}}, {"x": {"a": 1, "b": 2}},
    {"x": {"tuple": 3}}, {"x": {"dict": [1]}}, {"bank": 3},
])  # fmt: skip
def test_a_damaged_state_is_an_error(values):
    with pytest.raises((ValueError, LookupError, TypeError)):
        unpack({"bank": torch.ones(1)}, values)
