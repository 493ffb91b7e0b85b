import logging

import pytest
import torch
from torch import Tensor

from adframe.interfaces import Augmentation, Batch, MethodParts, RandomKeys
from adframe_augmentations.pad_crop import PadCrop
from adframe_backbones.lenet import LeNet
from adframe_schedules.curriculum import Curriculum
from adframe_schedules.uniform import Uniform
from adframe_svdd.method import DeepSAD, DeepSVDD
from adframe_unicon_ha.schedule import Hierarchical

SAME: Augmentation = PadCrop(padding=0, flip_probability=0)


def made(method: DeepSVDD | DeepSAD, **network: object) -> DeepSVDD | DeepSAD:
    torch.manual_seed(0)
    backbone = LeNet(width=0.125, **network)
    parts = MethodParts(backbone, [], Uniform(SAME), [], 1, image_size=(12, 12))
    method.setup(parts)
    return method


def batch(count: int = 6, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 3, 12, 12), generator=generator).byte()
    keys = torch.arange(count)
    return Batch(pixels, torch.full_like(keys, -1), RandomKeys.from_index(seed, keys))


def begun(method: DeepSVDD | DeepSAD, *batches: Batch) -> None:
    with torch.no_grad():
        method.eval().begin(batches)


def embedding(method: DeepSVDD | DeepSAD, image: Tensor) -> Tensor:
    """One image through the network, its layers one by one."""
    features = method.backbone(image[None].float() / 255)[-1].flatten()
    return torch.stack([(row * features).sum() for row in method.project.weight])


def test_the_centre_is_the_mean_of_all_images_before_training_but_not_zero() -> None:
    method = made(DeepSVDD(embedding=5, least=0.01))
    first, second = batch(6), batch(3, seed=1)
    begun(method, first, second)
    images = [*first.pixels, *second.pixels]
    mean = sum(embedding(method, image) for image in images) / 9
    expected = torch.where(mean.abs() < 0.01, mean.sign() * 0.01, mean)
    torch.testing.assert_close(method.centre, expected, rtol=1e-4, atol=1e-6)
    begun(method, first)
    assert not torch.allclose(method.centre, expected)
    assert "centre" in method.state_dict()


def test_the_score_is_the_squared_distance_from_the_centre() -> None:
    method, images = made(DeepSVDD(embedding=5)), batch()
    begun(method, images)
    found = method.embed(images.pixels.float() / 255)
    for image, score, features in zip(
        images.pixels, found["anomaly"], found["features"], strict=True
    ):
        z = embedding(method, image)
        expected = sum((a - b) ** 2 for a, b in zip(z, method.centre, strict=True))
        torch.testing.assert_close(score[0], expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(features, z, rtol=1e-4, atol=1e-6)


def test_the_radius_stays_zero_until_the_warm_up_ends() -> None:
    method, images = made(DeepSVDD(embedding=5, soft_boundary=True, nu=0.5, warmup=0.2)), batch()
    begun(method, images)
    (update,) = method.step(images, 0.1)
    scores = method.embed(images.pixels.float() / 255)["anomaly"]
    torch.testing.assert_close(update.loss, scores.mean() / 0.5)
    assert method.radius == 0
    list(method.step(images, 0.3))
    assert method.radius.item() == pytest.approx(scores.sqrt().median().item(), rel=0.2)
    inside = method.embed(images.pixels.float() / 255)["anomaly"]
    assert sum(score < 0 for score in inside) == 3
    torch.testing.assert_close(inside, scores - method.radius**2)


def test_known_outliers_are_pushed_away() -> None:
    method, images = made(DeepSAD(embedding=5, weight=2.0)), batch()
    begun(method, images)
    images.exposed = batch(2, seed=3)
    (update,) = method.eval().step(images, 0.0)
    total = 0.0
    for image in images.pixels:
        total += (embedding(method, image) - method.centre).square().sum().item()
    for image in images.exposed.pixels:
        total += 2 / ((embedding(method, image) - method.centre).square().sum().item() + 1e-6)
    assert update.loss.item() == pytest.approx(total / 8, rel=1e-4)


def test_a_network_with_bias_terms_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adframe"):
        made(DeepSVDD())
        assert not caplog.records
        made(DeepSVDD(), bias=True)
    assert "can map all images to the centre" in caplog.text


def test_more_than_the_last_stage_is_refused_and_a_curriculum_is_not() -> None:
    with pytest.raises(ValueError, match="only the last stage"):
        DeepSVDD().setup(MethodParts(LeNet(), [], Hierarchical(SAME), [], 1))
    DeepSVDD().setup(MethodParts(LeNet(width=0.125), [], Curriculum(SAME), [], 1))
