import math

import pytest
import torch
from torch import Tensor

from adframe.interfaces import Batch, MethodParts, RandomKeys
from adframe_augmentations.pad_crop import PadCrop
from adframe_backbones.lenet import LeNet
from adframe_plad.loss import classification_loss, size_of_perturbation
from adframe_plad.method import PLAD, Perturbator
from adframe_schedules.uniform import Uniform


def pixels(count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (count, 3, 8, 8), generator=generator).byte()


def made(**options: object) -> PLAD:
    torch.manual_seed(0)
    method = PLAD(hidden=7, perturbator=5, **options)
    same = Uniform(PadCrop(padding=0, flip_probability=0))
    backbone = LeNet(width=0.125, bias=True)
    method.setup(MethodParts(backbone, [], same, [], 1, image_size=(8, 8)))
    return method


def batch(images: Tensor) -> Batch:
    keys = torch.arange(len(images))
    return Batch(images, torch.full_like(keys, -1), RandomKeys.from_index(0, keys))


def test_the_loss_is_the_cross_entropy_of_both_labels() -> None:
    normal, perturbed = [-2.0, 0.5, 3.0], [1.0, -1.0, 4.0]
    expected = 0.0
    for logit in normal:
        expected -= math.log(1 - 1 / (1 + math.exp(-logit))) / 3
    for logit in perturbed:
        expected -= math.log(1 / (1 + math.exp(-logit))) / 3
    found = classification_loss(torch.tensor(normal), torch.tensor(perturbed))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_size_is_summed_over_pixels_and_averaged_over_images() -> None:
    generator = torch.Generator().manual_seed(0)
    alpha, beta = torch.rand(2, 2, 3, 4, 4, generator=generator)
    total = 0.0
    for a, b in zip(alpha.flatten().tolist(), beta.flatten().tolist(), strict=True):
        total += (a - 1) ** 2 + b**2
    assert size_of_perturbation(alpha, beta).item() == pytest.approx(total / 2, rel=1e-5)
    assert size_of_perturbation(torch.ones_like(alpha), torch.zeros_like(beta)) == 0


def test_one_loss_trains_classifier_and_perturbator_together() -> None:
    method, images = made(weight=0.5), pixels()
    (update,) = method.eval().step(batch(images), 0.0)
    normal, perturbed, size = [], [], 0.0
    for image in images.float() / 255:
        alpha, beta = method.perturbator(image[None])
        for x, logits in ((image[None], normal), (image[None] * alpha + beta, perturbed)):
            hidden = method.layer(method.backbone(x)[-1].flatten(1)).clamp(min=0)
            logits.append(method.classifier(hidden)[0, 0])
        size += ((alpha - 1).square().sum() + beta.square().sum()).item() / 4
    expected = classification_loss(torch.stack(normal), torch.stack(perturbed)) + 0.5 * size
    torch.testing.assert_close(update.loss, expected, rtol=1e-4, atol=1e-5)
    pulls = torch.autograd.grad(update.loss, list(method.parameters()))
    assert all(pull.abs().sum() > 0 for pull in pulls)
    score = method.embed(images.float() / 255)["anomaly"][:, 0]
    torch.testing.assert_close(score, torch.stack(normal), rtol=1e-4, atol=1e-5)


def test_a_perturbation_is_of_its_image_only() -> None:
    torch.manual_seed(0)
    perturbator, images = Perturbator((8, 8), 5), pixels().float() / 255
    whole, alone = perturbator(images), perturbator(images[2:3])
    for one, other in zip(whole, alone, strict=True):
        torch.testing.assert_close(one[2:3], other)


def test_weight_keeps_the_perturbations_small() -> None:
    sizes = []
    for weight in (0.0, 1.0):
        method = made(weight=weight).train()
        steps = torch.optim.Adam(method.parameters(), lr=1e-2)
        for _ in range(15):
            (update,) = method.step(batch(pixels()), 0.0)
            steps.zero_grad()
            update.loss.backward()
            steps.step()
        sizes.append(update.metrics["perturbation"].item())
    assert sizes[1] < sizes[0]
