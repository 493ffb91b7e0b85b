"""The training step of CSI against that of the official code.

Forward and backward in fp32: flips, four rotations, augmentation, ResNet-18, NT-Xent and the
cross-entropy of the shift, with two views of each image. ``adframe`` is configs/csi/cifar10.yaml.
``official`` uses the network, layers and loss of a clone of github.com/alinlab/CSI (not part of
this repository), combined as in its training/unsup/simclr_CSI.py. First both get the same weights
and views, and must return the same loss and gradient. The optimizer is excluded, because the
official one needs a GPU. CPU seconds, best of interleaved rounds.

    python benchmarks/csi_step.py --csi CLONE [--quick]

The environment variable CSI can name the clone instead. Without a clone nothing is compared.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pairs
import steps
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import adframe
from adframe.engine.build import assemble
from adframe.interfaces import Method

CONFIG = Path(__file__).parents[1] / "configs/csi/cifar10.yaml"
ABSENT = ("diffdist", "diffdist.functional")  # imported there, used with several GPUs only


def clone() -> tuple[Path, bool]:
    """The folder of the official code, and ``--quick``. Ends the benchmark without a clone."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--csi", default=os.environ.get("CSI"), help="a clone of alinlab/CSI")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, for a first look")
    given = parser.parse_args()
    if given.csi is None:
        print("Skipped: name a clone of github.com/alinlab/CSI with --csi or the variable CSI.")
        raise SystemExit
    path = Path(given.csi)
    if not (path / "models/transform_layers.py").is_file():
        raise SystemExit(f"{path}: not a clone of github.com/alinlab/CSI")
    return path, given.quick


class Official(nn.Module):
    """The official training step on a CPU, assembled from the official modules."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        sys.path.insert(0, str(root))
        for name in ABSENT:
            if name not in sys.modules:
                sys.modules[name] = ModuleType(name)
        layers = importlib.import_module("models.transform_layers")
        classifier = importlib.import_module("models.classifier")
        self.loss = importlib.import_module("training.contrastive_loss")
        options = SimpleNamespace(
            resize_factor=0.08, resize_fix=False, dataset="cifar10", shift_trans_type="rotation"
        )
        self.flip = layers.HorizontalFlipLayer()
        self.augment = classifier.get_simclr_augmentation(options, image_size=(32, 32))
        self.rotate, self.shifts = classifier.get_shift_module(options, eval=True)
        network = classifier.get_classifier("resnet18", n_classes=10)
        self.network = classifier.get_shift_classifer(network, self.shifts)

    def step(self, images: Tensor) -> Tensor:
        """Loss and gradients for uint8 images, shape (N, 3, H, W)."""
        self.zero_grad(set_to_none=True)
        first, second = self.flip((images / 255).repeat(2, 1, 1, 1)).chunk(2)
        turned = [self.rotate(x, k) for x in (first, second) for k in range(self.shifts)]
        shift = torch.arange(self.shifts).repeat_interleave(len(images)).repeat(2)
        loss = self.of_views(self.augment(torch.cat(turned)), shift)
        loss.backward()
        return loss.detach()

    def of_views(self, views: Tensor, shift: Tensor) -> Tensor:
        """The loss for augmented views."""
        _, seen = self.network(views, simclr=True, penultimate=True, shift=True)
        unit = seen["simclr"] / (seen["simclr"].norm(dim=1, keepdim=True) + 1e-8)
        similar = self.loss.get_similarity_matrix(unit)
        contrast: Tensor = self.loss.NT_xent(similar, temperature=0.5)
        return contrast + F.cross_entropy(seen["shift"], shift)


def ours() -> Method:
    """The method of the config, as in a run on a CPU."""
    method = assemble(adframe.load_config(CONFIG)).method
    return method.train().to(memory_format=torch.channels_last)


def same_weights(method: Method, official: Official) -> None:
    """Copies adframe's weights to the official network."""
    held: dict[str, Tensor] = {
        name.replace("downsample", "shortcut"): value
        for name, value in method.backbone.state_dict().items()
    }
    project, terms = method.heads["4"].project, method.terms["4"]
    held |= {f"simclr_layer.{name}": value for name, value in project.state_dict().items()}
    (classifier,) = (layer for layer in terms.modules() if isinstance(layer, nn.Linear))
    held |= {f"shift_cls_layer.{name}": v for name, v in classifier.state_dict().items()}
    wrong = official.network.load_state_dict(held, strict=False)
    assert not wrong.unexpected_keys, wrong
    assert all(name.startswith(("linear", "joint")) for name in wrong.missing_keys), wrong


def agree(method: Method, official: Official) -> None:
    """Asserts that both return the same loss and gradient for the same views, in float64."""
    images = torch.rand(32, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    stage = SimpleNamespace(level=4, augmentation=lambda rows, keys: images)
    schedule, method.schedule = method.schedule, SimpleNamespace(stages=lambda *_: [stage])
    (update,) = method.double().step(steps.batch(4), 0.0)
    method.schedule = schedule
    theirs = official.double().of_views(images, torch.arange(4).repeat_interleave(4).repeat(2))
    torch.testing.assert_close(update.loss, theirs, atol=1e-5, rtol=0)
    (update.loss + theirs).backward()
    mine, other = method.backbone.conv1.weight.grad, official.network.conv1.weight.grad
    assert float((mine - other).norm() / other.norm()) < 1e-5
    method.float(), official.float()


def contender(of: Official, inliers: int) -> Callable[[], Tensor]:
    """The official step on the batch of adframe's step."""
    images = steps.batch(inliers).pixels
    return lambda: of.step(images)


def main() -> None:
    """Compares and prints the table."""
    path, quick = clone()
    inliers, rounds = (2, 1) if quick else (16, 4)
    official, method = Official(path), ours()
    same_weights(method, official)
    agree(method, official)
    contenders = {
        "official": contender(official, inliers),
        "adframe": steps.step(method, inliers),
    }
    cpu = pairs.seconds(contenders, rounds)
    rows = [[name, value, cpu["official"] / value] for name, value in cpu.items()]
    print(f"{inliers} images, 4 rotations, 2 views, width 1\n")
    pairs.table(["step", "CPU s", "times faster"], rows)


if __name__ == "__main__":
    main()
