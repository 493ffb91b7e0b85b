"""A method of two networks: a pass before training, an optimizer for each group, no objective."""

from __future__ import annotations

import logging
import signal

import pytest
import torch

import adframe
from adframe.config.model import load_config
from adframe.engine.build import assemble
from adframe.engine.runner import prepare
from adframe.engine.train import train
from adframe.errors import ConfigError, Stopped
from adframe.io.tensors import read_tensors

PLUGIN = '''
import torch
from adframe import hookimpl
from adframe.interfaces import Method, Update

class TwoNets(Method):
    """Draws features to their centre, and another network to the features."""

    ignores = ("objective", "schedule", "shifts")
    begun = []  # number of images in each batch of each pass

    def setup(self, parts):
        self.backbone, self.image_size = parts.backbone, parts.image_size
        self.other = torch.nn.Linear(3, parts.backbone.widths[-1])
        self.register_buffer("centre", torch.zeros(parts.backbone.widths[-1]))
        self.register_buffer("bank", torch.empty(0))

    def begin(self, batches):
        assert not self.training and not torch.is_grad_enabled()
        first, again = (
            torch.cat([self.embed(b.pixels / 255)["features"] for b in batches]) for _ in range(2)
        )
        assert torch.equal(first, again)
        self.begun.append([len(batch.pixels) for batch in batches])
        self.centre, self.bank = first.mean(0), first

    def groups(self):
        return {"net": list(self.backbone.parameters()), "head": list(self.other.parameters())}

    def step(self, batch, progress):
        images = batch.pixels / 255
        features = self.embed(images)["features"]
        yield Update((features - self.centre).square().mean(), "net")
        made = self.other(images.mean((2, 3)))
        yield Update((made - features.detach()).square().mean(), "head")

    def embed(self, images):
        return {"features": self.backbone(images)[-1].mean((2, 3))}

@hookimpl
def adframe_register(add):
    add("method", "two_nets", TwoNets)
'''
CONFIG = """
dataset: {{name: image_folder, root: {root}, normal: left}}
backbone: {{name: resnet18, width: 0.0625}}
method: two_nets
optimizer:
  net: {{lr: 0.01}}
  head: {{name: adam, lr: 0.001}}
train: {{epochs: 2, batch_size: 3, device: cpu}}
"""


@pytest.fixture
def make(shapes, tmp_path):
    plugin, path = tmp_path / "two_nets.py", tmp_path / "two.yaml"
    plugin.write_text(PLUGIN)
    path.write_text(CONFIG.format(root=shapes))
    return lambda *settings: load_config(path, settings, plugins=[plugin])


def test_training_begins_once_with_every_image_and_goes_on_from_the_result(
    make, tmp_path, monkeypatch
):
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    config = make()
    adframe.run(config, whole)
    method = config.method.entry.load()
    assert method.begun == [[3, 3, 2]]  # eight of twelve images are trained on

    step, calls = torch.optim.Adam.step, []

    def signalled(optimizer, *args):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(optimizer, *args)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", signalled)
        with pytest.raises(Stopped):
            adframe.run(config, halved)
    adframe.run(config, halved, resume=True)
    assert method.begun == [[3, 3, 2]] * 2
    for name in ("state.safetensors", "model.safetensors", "scores.csv"):
        assert (halved / name).read_bytes() == (whole / name).read_bytes()
    tensors, _ = read_tensors(whole / "model.safetensors")
    assert tensors["method/bank"].shape == (8, 32)
    assert torch.equal(tensors["method/centre"], tensors["method/bank"].mean(0))
    assert adframe.load(whole, plugins=[tmp_path / "two_nets.py"]).method.image_size == (16, 16)


def test_each_group_has_its_own_optimizer(make, tmp_path):
    adframe.run(make(), tmp_path / "run")
    tensors, facts = read_tensors(tmp_path / "run/state.safetensors")
    slots = {key.split("/")[1] + "/" + key.split("/")[-1] for key in {**tensors, **facts["scalars"]}
             if key.startswith("optimizer/")}  # fmt: skip
    assert slots == {"net/momentum_buffer", "head/exp_avg", "head/exp_avg_sq", "head/step"}
    run = prepare(make("optimizer.head.lr=1e-12"), None)
    before = {name: p.detach().clone() for name, p in run.assembly.method.named_parameters()}
    train(run)
    moved = {name.partition(".")[0]: (p - before[name]).abs().max().item() > 1e-6
             for name, p in run.assembly.method.named_parameters() if "fc" not in name}  # fmt: skip
    assert moved == {"backbone": True, "other": False}


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("{net: {lr: 0.1}, hed: {}}", "hed: two_nets has no group 'hed'; did you mean 'head'?"),
        ("{net: {lr: 0.1}}", "no optimizer for head; two_nets has the groups: net, head"),
        ("{net: {lr: -1}, head: {}}", "net.lr: must be above 0, not -1"),
        ("{net: {name: adm}, head: {}}", "net.name: no optimizer named 'adm'; did you mean"),
        ("{learning: 0.1}", "learning: unknown key"),
        ("{net: adm, head: sgd}", "net.name: no optimizer named 'adm'; did you mean 'adam'?"),
        ("{name: adam, net: {lrr: 1}, head: {}}", "net.lrr: unknown key; did you mean 'lr'?"),
    ],
)
def test_groups_that_do_not_fit_are_refused(make, tmp_path, setting, problem):
    text = (tmp_path / "two.yaml").read_text()
    start, end = text.index("optimizer:"), text.index("train:")
    (tmp_path / "two.yaml").write_text(text[:start] + f"optimizer: {setting}\n" + text[end:])
    with pytest.raises(ConfigError, match="optimizer") as caught:
        assemble(make())
    assert problem in str(caught.value)


def test_what_the_method_does_not_use_is_named(make, caplog):
    with caplog.at_level(logging.WARNING, "adframe"):
        assemble(make())
        assert caplog.messages == []
        assemble(make("objective=[{loss: uniclr}]", "shifts=[rotation]"))
        assert caplog.messages == ["the method two_nets does not use: objective, shifts"]


def test_groups_are_written_to_the_run_and_read_again(make, tmp_path):
    config = make()
    dumped = config.dump()["optimizer"]
    assert (dumped["net"]["name"], dumped["head"]["name"]) == ("sgd", "adam")
    (tmp_path / "again.yaml").write_text(config.yaml())
    again = load_config(tmp_path / "again.yaml", plugins=[tmp_path / "two_nets.py"])
    assert again.dump() == config.dump()


def test_groups_may_be_set_over_one_optimizer(make, tmp_path):
    """As in a config that extends another: a group keeps options, or names another optimizer."""
    text = (tmp_path / "two.yaml").read_text()
    start, end = text.index("optimizer:"), text.index("train:")
    one = "optimizer: {name: adam, lr: 0.5, eps: 0.25}\n"
    (tmp_path / "two.yaml").write_text(text[:start] + one + text[end:])
    found = make("optimizer={net: {lr: 0.1}, head: sgd}").dump()["optimizer"]
    assert {key: found["net"][key] for key in ("name", "lr", "eps")} == {
        "name": "adam", "lr": 0.1, "eps": 0.25,
    }  # fmt: skip
    assert (found["head"]["name"], found["head"]["lr"]) == ("sgd", 0.01)
    alone = make("optimizer.weight_decay=0.125").dump()["optimizer"]
    assert (alone["lr"], alone["weight_decay"]) == (0.5, 0.125)
