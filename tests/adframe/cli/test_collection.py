"""The first collection of a command is late, and all later ones are as before."""

import gc
import weakref

import pytest

from adframe.cli import collection


class Loop:
    """An object that only the collector frees."""

    def __init__(self):
        self.me = self


@pytest.fixture
def thresholds():
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    gc.collect()
    yield before
    gc.set_threshold(*before)
    gc.callbacks[:] = callbacks


def test_thresholds_return_with_the_first_collection(thresholds, monkeypatch):
    monkeypatch.setattr(collection, "AT_START", 20_000)
    callbacks = len(gc.callbacks)
    collection.delay_first_collection()
    kept = [[] for _ in range(10_000)]  # collections of 700 objects would be due
    assert gc.get_threshold() == (20_000, *thresholds[1:])
    lost = weakref.ref(Loop())
    kept += [[] for _ in range(15_000)]
    assert gc.get_threshold() == thresholds
    assert len(gc.callbacks) == callbacks
    assert lost() is None


@pytest.mark.parametrize("first", [0, 1_000_000])
def test_settings_of_others_stay(thresholds, first):
    gc.set_threshold(first, 10, 10)
    collection.delay_first_collection()
    assert gc.get_threshold() == (first, 10, 10)
