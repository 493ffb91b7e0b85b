"""A method that wraps another one."""

import torch
from torch import nn

from adframe.interfaces import MethodWrapper
from adframe.testing.fakes import SmallMethod


class TwoGroups(SmallMethod):
    def groups(self):
        return {"main": [self.backbone.first.weight], "other": [self.backbone.second.weight]}


class Adding(MethodWrapper):
    def setup(self, parts):
        super().setup(parts)
        self.more = nn.Linear(2, 2)
        self.more.bias.requires_grad_(False)
        self.same = self.of.backbone  # not its own


def test_layers_of_the_wrapper_are_trained_in_the_main_group():
    inner = TwoGroups()
    wrapper = Adding(inner)
    assert wrapper.groups() == inner.groups()
    wrapper.setup(None)
    found = {name: [id(p) for p in group] for name, group in wrapper.groups().items()}
    net = inner.backbone
    assert found == {
        "main": [id(net.first.weight), id(wrapper.more.weight)],
        "other": [id(net.second.weight)],
    }


def test_it_passes_on_outputs_and_feature_maps():
    inner, images = SmallMethod(), torch.rand(2, 3, 8, 8)
    wrapper = MethodWrapper(inner)
    assert torch.equal(wrapper.embed(images)["features"], inner.embed(images)["features"])
    assert [len(maps) for maps in wrapper.feature_maps(images, 2)] == [2, 2]
