"""Weights that a network starts with: from a file, from another run; frozen stages; no epochs."""

import csv
import json
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import adframe
from adframe.config.model import load_config
from adframe.engine.runner import prepare
from adframe.engine.start import used_by
from adframe.errors import ConfigError, UserError
from adframe.interfaces import Backbone

FAST = ("scorer=raw_pixels", "train.epochs=0")


def network(seed=3, **options):
    torch.manual_seed(seed)
    return adframe.build("backbone", {"name": "resnet18", "width": 0.0625, **options})


def tensors_of(folder, prefix="method/backbone."):
    found = load_file(folder / "model.safetensors")
    return {
        name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights, with a classifier as torchvision's have, and the weights."""
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    state = network().state_dict()
    save_file({**state, "fc.weight": torch.ones(2, 32), "fc.bias": torch.ones(2)}, path)
    return path, state


@pytest.fixture(scope="module")
def started(toy_file, weights, tmp_path_factory):
    """A run that scores with the network of a file, which is gone afterwards."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("started")
    file = shutil.copy(weights[0], root / "gone.safetensors")
    settings = [f"start.weights={file}", "start.freeze=all", "train.epochs=0"]
    report = adframe.run(load_config(toy_file, settings), root / "run")
    (root / "gone.safetensors").unlink()
    return root / "run", report, settings


def test_no_epoch_is_a_run_that_is_evaluated_and_resumed_as_any(toy, tmp_path, caplog):
    report = adframe.run(toy("train.epochs=0"), tmp_path)
    assert (report.epochs, report.out) == (0, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").unlink()
    adframe.run(toy("train.epochs=0"), tmp_path, resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert not caplog.messages
    longer = adframe.run(toy("train.epochs=1"), tmp_path, resume=True, extend=True)
    assert longer.epochs == 1
    assert (tmp_path / "model.safetensors").read_bytes() != before


def test_an_untrained_network_is_the_one_that_training_starts_with(toy, tmp_path):
    adframe.run(toy(*FAST), tmp_path)
    drawn = prepare(toy(), None).assembly.parts.backbone.state_dict()
    assert same(tensors_of(tmp_path), drawn)


def test_the_weights_of_a_file_are_those_that_score(started, weights):
    folder, _, _ = started
    assert same(tensors_of(folder), weights[1])


def test_a_run_needs_the_file_no_more(started, toy_file):
    folder, report, settings = started
    with (folder / "scores.csv").open() as file:
        stored = {row["path"]: float(row["score"]) for row in csv.DictReader(file)}
    scores = adframe.load(folder).score(list(stored))
    torch.testing.assert_close(torch.from_numpy(scores), torch.tensor(list(stored.values())))
    assert report.epochs == 0
    before = (folder / "model.safetensors").read_bytes()
    (folder / "result.json").unlink()
    adframe.run(load_config(toy_file, settings), folder, resume=True)
    assert (folder / "model.safetensors").read_bytes() == before
    facts = json.loads((folder / "environment.json").read_text())
    assert len(facts["started_from"]) == 64


def test_the_network_of_another_run_is_taken(started, toy, tmp_path):
    folder, _, _ = started
    adframe.run(toy(*FAST, f"start.init_from={folder}"), tmp_path / "same")
    assert same(tensors_of(tmp_path / "same"), tensors_of(folder))
    inside = ["method={name: patches, of: contrastive, size: 8}", f"start.init_from={folder}"]
    adframe.run(toy(*FAST, *inside), tmp_path / "inside")
    assert same(tensors_of(tmp_path / "inside", "method/of.backbone."), tensors_of(folder))
    back = [f"start.init_from={tmp_path / 'inside'}", "seed=1"]
    adframe.run(toy(*FAST, *back), tmp_path / "back")
    assert same(tensors_of(tmp_path / "back"), tensors_of(folder))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.pop("conv1.weight"), r"missing: conv1\.weight$"),
        (lambda t: t.update({"head.x": torch.ones(1)}), r"unexpected: head\.x$"),
        (lambda t: t.update({"bn1.bias": torch.ones(3)}), r"another shape: bn1\.bias is 3, not 4$"),
        (lambda t: t["bn1.bias"].fill_(torch.nan), r"bn1\.bias is not finite$"),
        (lambda t: t.clear(), r"missing: conv1\.weight, \S+, \S+ and \d+ more$"),
        (lambda t: t.update({"bn1.bias": torch.ones(4).int()}), r"bn1\.bias is of type"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_in_one_line(change, text, toy, tmp_path):
    tensors = {name: value.clone() for name, value in network().state_dict().items()}
    change(tensors)
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=text) as caught:
        adframe.run(toy(*FAST, f"start.weights={tmp_path / 'x.safetensors'}"), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").glob("config.yaml"))


def test_what_is_no_file_of_weights_is_refused_in_one_line(toy, tmp_path):
    (tmp_path / "x").write_bytes(b"\x80\x04junk" * 9)
    for settings, text in [
        (f"start.weights={tmp_path / 'x'}", "no safetensors file"),
        (f"start.weights={tmp_path / 'none'}", "No such file"),
        (f"start.init_from={tmp_path}", "not a run folder"),
        (f"start={{weights: a, init_from: {tmp_path}}}", "name one"),
        ("start.freeze=[5]", "the network has 4 stages, not 5"),
        ("start.freeze=[0]", "start.freeze"),
        ("start.freeze=some", "start.freeze"),
    ]:
        with pytest.raises(UserError, match=text) as caught:
            adframe.run(toy(*FAST, settings))
        assert isinstance(caught.value, ConfigError) or "\n" not in str(caught.value)


@pytest.mark.parametrize("freeze", ["[1, 3]", "all"])
def test_frozen_stages_stay_bit_for_bit_with_their_statistics(freeze, weights, toy, tmp_path):
    path, before = weights
    settings = [f"start={{weights: {path}, freeze: {freeze}}}", "objective=[{loss: uniclr}]"]
    adframe.run(toy(*settings, "train.epochs=1", "scorer=raw_pixels"), tmp_path)
    after = tensors_of(tmp_path)
    changed = {
        name.partition(".")[0] for name in after if not torch.equal(after[name], before[name])
    }
    assert changed == ({"layer2", "layer4"} if freeze == "[1, 3]" else set())


class Free(Backbone):
    """Stages that share no containers, a parameter without a module, a module without a call."""

    def __init__(self):
        super().__init__()
        self.widths = [3, 3]
        self.scale = nn.Parameter(torch.ones(3, 1, 1))
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(3))
        self.plain = nn.BatchNorm2d(3, affine=False)

    def forward(self, images, depth=None):
        maps = [self.norms[0](images) * self.scale]
        if depth != 1:
            maps.append(self.norms[1].forward(self.plain(maps[0])))
        return maps


def test_a_stage_is_what_a_deeper_pass_adds():
    net = Free()
    net.scale.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    parameters, modules = used_by(net, torch.rand(1, 3, 4, 4))
    names = {module: name for name, module in net.named_modules()}
    assert parameters == {
        "scale": 1, "norms.0.weight": 1, "norms.0.bias": 1, "norms.1.weight": 2, "norms.1.bias": 2
    }  # fmt: skip
    assert {names[module]: stage for module, stage in modules.items()} == {
        "norms.0": 1, "plain": 2, "norms.1": 2
    }  # fmt: skip
    assert not net.scale.requires_grad
    assert net.norms[0].training
    assert same(net.state_dict(), before)


def test_freezing_everything_warns_of_nothing_without_training(toy, caplog):
    with caplog.at_level(logging.WARNING, "adframe"):
        adframe.run(toy(*FAST, "start.freeze=all"))
    assert not caplog.messages
