"""The network computes only what is needed: outputs, images, and gradients for scorers."""

from __future__ import annotations

import json

import pytest
import torch

import adframe
from adframe.config.model import load_config
from adframe.engine.build import assemble
from adframe.engine.features import extract_features
from adframe.engine.scoring import fit, score
from adframe.errors import PluginFault
from adframe.interfaces import Scorer, ViewSpec

PLUGIN = '''
import torch
from adframe import hookimpl
from adframe.interfaces import Method, Scorer, Update, ViewSpec

class Costly(Method):
    """Has an output that takes a search for each image."""

    ignores = ("objective", "schedule")
    searched = []  # number of images in each search

    def setup(self, parts):
        self.backbone = parts.backbone

    def step(self, batch, progress):
        yield Update(self.embed_only(batch.pixels / 255, ["features"])["features"].square().mean())

    def outputs(self):
        return ("features", "search")

    def embed(self, images):
        return self.embed_only(images, self.outputs())

    def embed_only(self, images, outputs):
        features = self.backbone(images)[-1].mean((2, 3))
        if "search" not in outputs:
            return {"features": features}
        self.searched.append(len(images))
        return {"features": features, "search": features[:, :1]}

class Found(Scorer):
    """Reads the result of the search; learns nothing."""

    def view_spec(self):
        return ViewSpec(outputs=("search",))

    def score(self, features):
        return features["search"].mean((1, 2, 3))

@hookimpl
def adframe_register(add):
    add("method", "costly", Costly)
    add("scorer", "found", Found)
'''
CONFIG = """
dataset: {{name: image_folder, root: {root}, normal: left}}
backbone: {{name: resnet18, width: 0.0625}}
method: costly
scorer: [found, nearest_cosine]
train: {{epochs: 2, batch_size: 4, device: cpu}}
"""


@pytest.fixture
def make(shapes, tmp_path):
    plugin, path = tmp_path / "costly.py", tmp_path / "costly.yaml"
    plugin.write_text(PLUGIN)
    path.write_text(CONFIG.format(root=shapes))
    return lambda *settings: load_config(path, settings, plugins=[plugin])


@pytest.fixture
def method(make):
    return assemble(make()).method.eval()


def test_only_test_images_are_searched_and_each_once(make, tmp_path):
    config = make()
    adframe.run(config, tmp_path / "run")
    searched = config.method.entry.load().searched
    lines = (tmp_path / "run/scores.csv").read_text().splitlines()[1:]
    assert sum(searched) == len(lines) == 20
    assert json.loads((tmp_path / "run/result.json").read_text())["scorers"].keys() == {
        "found", "nearest_cosine",
    }  # fmt: skip


class Steep(Scorer):
    """Norm of the gradient of the squared features with respect to the pixels."""

    def view_spec(self):
        return ViewSpec(outputs=("slope",), compute=self.slope)

    def slope(self, network, images):
        images = images.detach().requires_grad_()
        energy = network.embed_only(images, ["features"])["features"].square().sum()
        (gradient,) = torch.autograd.grad(energy, images)
        return {"slope": gradient.flatten(1).norm(dim=1, keepdim=True)}

    def score(self, features):
        return features["slope"].mean((1, 2, 3))


def test_a_scorer_may_take_gradients_with_respect_to_pixels(method):
    pixels = torch.randint(256, (5, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
    (found,) = score([Steep()], method, [], pixels, seed=0)
    images = (pixels.float() / 255).requires_grad_()
    method.backbone(images)[-1].mean((2, 3)).square().sum().backward()
    assert torch.allclose(found, images.grad.flatten(1).norm(dim=1), rtol=1e-4)
    assert all(weight.requires_grad for weight in method.parameters())


def test_weights_have_no_gradient_meanwhile(method):
    seen = []

    def compute(network, images):
        seen.append([weight.requires_grad for weight in network.parameters()])
        raise ZeroDivisionError

    spec = ViewSpec(outputs=("none",), compute=compute)
    with pytest.raises(ZeroDivisionError):
        next(extract_features(method, [], torch.zeros(4, 3, 16, 16).byte(), spec, 0))
    assert not any(seen[0])
    assert all(weight.requires_grad for weight in method.parameters())


def test_what_it_computes_is_checked(method):
    class Odd(Steep):
        def slope(self, network, images):
            return {"slope": images}

    with pytest.raises(PluginFault, match=r"Odd: .* as 'slope', not a tensor \(4, D\)"):
        score([Odd()], method, [], torch.zeros(4, 3, 16, 16).byte(), seed=0)


def test_a_scorer_that_learns_nothing_needs_no_training_images():
    assert not Steep.needs_fit

    class Learning(Steep):
        def fit(self, features):
            self.mean = features["slope"].mean()

    class Heir(Learning):
        pass

    assert Learning.needs_fit
    assert Heir.needs_fit
    fit([Steep()], method=None, shifts=[], train=None, seed=0)  # neither is touched
