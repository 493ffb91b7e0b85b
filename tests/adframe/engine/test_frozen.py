"""Parameters that are frozen: training leaves them as they are, bit for bit."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

import adframe
from adframe.engine.descent import trained_parameters
from adframe.engine.runner import prepare
from adframe.engine.train import train
from adframe.errors import PluginFault
from adframe.interfaces import Backbone, Method, Update
from adframe.io.tensors import read_tensors

SETTINGS = ("schedule={name: uniform}", "objective=[{loss: uniclr}]", "backbone=half_frozen")


class HalfFrozen(Backbone):
    """A network whose first stage is frozen."""

    def __init__(self, frozen: bool = True) -> None:
        super().__init__()
        self.widths = [4, 8]
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.first.requires_grad_(not frozen)

    def forward(self, images, depth=None):
        maps = [self.first(images)]
        if depth != 1:
            maps.append(self.second(maps[0]))
        return maps


class Thawing(Method):
    """Trains a linear layer; freezes or unfreezes parameters in some steps.

    Args:
        plan: what happens: all, never, late or some.
    """

    def __init__(self, plan: str = "never") -> None:
        super().__init__()
        self.plan = plan

    def setup(self, parts):
        self.net = parts.backbone.requires_grad_(self.plan == "some")
        self.head = nn.Linear(8, 3).requires_grad_(self.plan != "all")

    def groups(self):
        return {"net": list(self.net.parameters()), "head": list(self.head.parameters())}

    def step(self, batch, progress):
        if self.plan == "some":
            self.net.requires_grad_(progress >= 0.5)
        elif self.plan == "late" and progress >= 0.5:
            self.net.requires_grad_(True)
        out = self.head(self.embed(batch.pixels / 255)["features"])
        yield Update(out.square().mean(), "net")
        out = self.head(self.embed(batch.pixels / 255)["features"])
        yield Update(out.square().mean(), "head")

    def embed(self, images):
        return {"features": self.net(images)[-1].mean((2, 3))}


@pytest.fixture
def make(toy, tmp_path):
    plugin = tmp_path / "frozen_parts.py"
    plugin.write_text(
        "from adframe import hookimpl\n"
        f"import sys; parts = sys.modules[{__name__!r}]\n"
        "@hookimpl\n"
        "def adframe_register(add):\n"
        "    add('backbone', 'half_frozen', parts.HalfFrozen)\n"
        "    add('method', 'thawing', parts.Thawing)\n"
    )
    return lambda *settings: toy(*SETTINGS, *settings, plugins=[plugin])


def _weights(run):
    return {n: p.detach().clone() for n, p in run.assembly.method.named_parameters()}


def _changed(before, run):
    after = dict(run.assembly.method.named_parameters())
    return {name for name, value in before.items() if not torch.equal(after[name], value)}


@pytest.mark.parametrize("optimizer", ["sgd", "lars", "adam"])
def test_frozen_weights_stay_and_the_others_are_trained(make, optimizer):
    run = prepare(make(f"optimizer={{name: {optimizer}}}", "train.clip=1.0"), None)
    before = _weights(run)
    train(run)
    trained = {name for name in before if not name.startswith("backbone.first.")}
    assert _changed(before, run) == trained
    assert all(p.grad is None for p in run.assembly.method.backbone.first.parameters())


def test_the_optimizer_gets_no_frozen_parameter(make):
    method = prepare(make(), None).assembly.method
    groups = trained_parameters(method)
    frozen = {id(p) for p in method.backbone.first.parameters()}
    assert groups["main"]
    assert not frozen.intersection(map(id, groups["main"]))
    assert all(p.requires_grad for p in groups["main"])


def test_statistics_of_batch_normalisation_follow_the_data(make):
    run = prepare(make(), None)
    norm = run.assembly.method.backbone.first[1]
    before = norm.running_mean.clone()
    train(run)
    assert not torch.equal(norm.running_mean, before)


def test_a_resumed_run_with_frozen_weights_is_the_uninterrupted_one(make, tmp_path):
    whole = adframe.run(make(), tmp_path / "whole")
    ends = iter([None, KeyboardInterrupt()])

    def stop(**_):
        if error := next(ends):
            raise error

    config = make()
    observer = type(
        "Observer", (), {"adframe_epoch_end": adframe.hookimpl(lambda s, epoch: stop())}
    )
    config.loaded.manager.register(observer())
    with pytest.raises(KeyboardInterrupt):
        adframe.run(config, tmp_path / "parts")
    resumed = adframe.run(make(), tmp_path / "parts", resume=True)
    for name in ("inliers", "image_folder"):
        expected = whole.outcomes["nearest_cosine"].scores[name]
        assert torch.equal(resumed.outcomes["nearest_cosine"].scores[name], expected)
    one, other = (read_tensors(tmp_path / n / "state.safetensors")[0] for n in ("whole", "parts"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_group_that_is_frozen_is_left_as_it_is(make):
    run = prepare(make("method={name: thawing}", "scorer.augmentation=null"), None)
    before = _weights(run)
    train(run)
    assert _changed(before, run) == {"head.weight", "head.bias"}


def test_a_method_that_is_frozen_warns_and_changes_nothing(make, caplog):
    run = prepare(make("method={name: thawing, plan: all}"), None)
    before = _weights(run)
    with caplog.at_level(logging.WARNING, "adframe"):
        train(run)
    assert not _changed(before, run)
    text = "every parameter of the method is frozen: training changes no weight"
    assert text in [record.getMessage() for record in caplog.records]


def test_a_method_may_freeze_parameters_for_some_steps(make):
    run = prepare(make("method={name: thawing, plan: some}", "train.epochs=2"), None)
    before, seen = _weights(run), []

    class Observer:
        @adframe.hookimpl
        def adframe_update(self, run, group):
            seen.append((run.step, bool(_changed(before, run) - {"head.weight", "head.bias"})))

    run.attach(Observer())
    train(run)
    half = run.total_steps // 2
    assert {step for step, moved in seen if moved} == set(range(half, run.total_steps))


def test_unfreezing_what_has_no_optimizer_is_refused(make):
    run = prepare(make("method={name: thawing, plan: late}"), None)
    with pytest.raises(PluginFault, match="method 'thawing' .* unfreezes 8 parameters"):
        train(run)
