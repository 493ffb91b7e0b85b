import inspect

import pytest

from adframe.registry import hookspecs
from adframe.registry.hookspecs import hookimpl
from adframe.registry.loading import GROUP

HOOKS = hookspecs.names()


def test_the_hooks_are_those_of_the_contract():
    assert list(HOOKS) == [
        "adframe_register",
        "adframe_run_start",
        "adframe_update",
        "adframe_epoch_end",
        "adframe_progress",
        "adframe_run_end",
    ]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_when_and_with_what(name):
    hook = HOOKS[name]
    signature = inspect.signature(hook)
    assert inspect.getdoc(hook)
    assert signature.return_annotation == "None"
    assert signature.parameters
    for parameter in signature.parameters.values():
        assert parameter.annotation is not parameter.empty
        assert parameter.default is parameter.empty


def test_a_plugin_may_take_fewer_arguments(toys):
    seen = []

    class Observer:
        @hookimpl
        def adframe_epoch_end(self, epoch):
            seen.append(epoch)

    observer = Observer()
    toys.manager.register(observer)
    toys.hook.adframe_epoch_end(run=None, epoch=3)
    toys.manager.unregister(observer)
    toys.hook.adframe_epoch_end(run=None, epoch=4)
    assert seen == [3]


def test_the_marker_belongs_to_the_entry_point_group():
    assert hookimpl.project_name == GROUP == "adframe"
