import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Batch, MethodParts, RandomKeys
from adframe_augmentations.pad_crop import PadCrop
from adframe_backbones.dcgan import DCGAN
from adframe_nda.method import NDAInspired
from adframe_nda.parts import pair_contrast, principal_components
from adframe_schedules.uniform import Uniform
from adframe_shifts.geometric import Rotation

SAME = Uniform(PadCrop(padding=0, flip_probability=0))


def batch(count: int = 6, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 3, 16, 16), generator=generator).byte()
    keys = torch.arange(count)
    return Batch(pixels, torch.full_like(keys, -1), RandomKeys.from_index(seed, keys))


def made(**options: object) -> NDAInspired:
    torch.manual_seed(0)
    method = NDAInspired(**{"latent": 3, "projection": 5, **options})
    parts = MethodParts(DCGAN(width=0.125), [Rotation()], SAME, [], 1, image_size=(16, 16))
    method.setup(parts)
    with torch.no_grad():
        method.eval().begin([batch(6), batch(4, seed=1)])
    return method


def cosine(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / a.norm() / b.norm())


def test_an_image_is_compared_with_all_decodings_and_negatives() -> None:
    torch.manual_seed(0)
    images, decoded, negatives = torch.randn(3, 4), torch.randn(3, 4), torch.randn(7, 4)
    total = 0.0
    for row, image in enumerate(images):
        others = [math.exp(cosine(image, z) / 0.3) for z in [*decoded, *negatives]]
        total -= math.log(others[row] / sum(others)) / 3
    found = pair_contrast(images, decoded, negatives, 0.3)
    assert found.item() == pytest.approx(total, rel=1e-5)


def test_latents_start_as_whitened_principal_components() -> None:
    pixels = torch.cat([batch(6).pixels, batch(4, seed=1).pixels])
    vectors = pixels.double().flatten(1).numpy() / 255
    centred = vectors - vectors.mean(0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:3].T / (values[:3] / np.sqrt(10))
    method = made()
    assert method.latents.shape == (10, 3)
    rows, known = method._rows(pixels)
    assert known.all()
    found = method.latents[rows].numpy()
    np.testing.assert_allclose(abs(found), abs(expected), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.T @ found / 10, np.eye(3), atol=1e-4)


def test_more_components_than_there_are_are_zeros() -> None:
    mean, axes = principal_components(lambda: [batch(4).pixels], 1000)
    assert mean.shape == (768,)
    assert axes.shape == (768, 1000)
    assert (axes.abs().sum(0) > 0).sum() == 3  # of four images about their mean


def test_each_image_moves_its_own_latent_vector_down() -> None:
    method, some = made(latent_rate=2.0, weight=0.3).eval(), batch(6)
    rows, _ = method._rows(some.pixels)
    before = method.latents.clone()
    (update,) = method.step(some, 0.0)
    images, codes = some.pixels.float() / 255, before[rows].requires_grad_()
    decoded = method.decoder(codes)
    turned = [torch.rot90(images, turn, (-2, -1)) for turn in (1, 2, 3)]
    z = [method.embed(x)["projection"] for x in (images, decoded, *turned)]
    contrast = pair_contrast(z[0], z[1], torch.cat(z[2:]), 0.5)
    loss = F.mse_loss(decoded, images) + 0.3 * contrast
    torch.testing.assert_close(update.loss, loss, rtol=1e-4, atol=1e-6)
    (pull,) = torch.autograd.grad(loss, [codes])
    expected = before.clone()
    for row, gradient in zip(rows.tolist(), pull, strict=True):
        expected[row] -= 2.0 * 6 * gradient
    torch.testing.assert_close(method.latents, expected, rtol=1e-3, atol=1e-5)
    assert (method.latents == before).all(1).sum() == 4


def test_images_that_begin_did_not_see_have_no_latent_vector() -> None:
    method = made()
    before = method.latents.clone()
    (update,) = method.step(batch(3, seed=9), 0.0)
    assert update.loss.isfinite()
    assert torch.equal(method.latents, before)


def test_negatives_are_needed() -> None:
    with pytest.raises(ValueError, match="needs shifts"):
        NDAInspired().setup(MethodParts(DCGAN(width=0.125), [], SAME, [], 1))
