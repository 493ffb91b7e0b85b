"""The autoencoder against loops, and the networks that start with its encoder."""

import pytest
import torch
from torch.nn import functional as F

import adframe
from adframe.interfaces import Augmentation, Batch, MethodParts, RandomKeys
from adframe.io.tensors import read_tensors
from adframe_augmentations.pad_crop import PadCrop
from adframe_backbones.lenet import LeNet
from adframe_schedules.uniform import Uniform
from adframe_svdd.autoencoder import Autoencoder

SAME: Augmentation = PadCrop(padding=0, flip_probability=0)


def made(size=(16, 16), **options):
    torch.manual_seed(0)
    method = Autoencoder(**{"embedding": 8, **options})
    parts = MethodParts(LeNet(width=0.125), [], Uniform(SAME), [], 1, image_size=size)
    method.setup(parts)
    return method


def batch(count, seed=0, size=(16, 16)):
    pixels = torch.randint(
        256, (count, 3, *size), generator=torch.Generator().manual_seed(seed)
    ).byte()
    keys = torch.arange(count)
    return Batch(pixels, torch.full_like(keys, -1), RandomKeys.from_index(seed, keys))


def contrast(image):
    image = image.float() / 255
    image = image - image.mean()
    return image / image.abs().mean()


def test_the_loss_is_the_squared_error_of_normalised_images_in_their_common_range():
    method, first, second = made(), batch(6), batch(3, seed=1)
    with torch.no_grad():
        method.eval().begin([first, second])
    found = [contrast(image) for image in [*first.pixels, *second.pixels]]
    low = min(image.min().item() for image in found)
    high = max(image.max().item() for image in found)
    assert (method.low.item(), method.high.item()) == pytest.approx((low, high), rel=1e-5)
    (update,) = method.step(first, 0.0)
    made_images = method.decoder(method.embed(first.pixels / 255)["features"])
    total = 0.0
    for image, again in zip(first.pixels, made_images, strict=True):
        wanted = (contrast(image) - low) / (high - low)
        for channel in range(3):
            for row in range(16):
                total += sum(((again - wanted)[channel, row] ** 2).tolist())
    assert update.loss.item() == pytest.approx(total / 6, rel=1e-4)
    scores = method.embed(first.pixels / 255)["anomaly"]
    assert scores.mean().item() == pytest.approx(total / 6, rel=1e-4)


def test_without_contrast_the_images_themselves_are_reconstructed():
    method, images = made(contrast=False), batch(2)
    with torch.no_grad():
        method.eval().begin([images])
    assert (method.low, method.high) == (0, 1)
    again = method.decoder(method.embed(images.pixels / 255)["features"])
    error = sum(((again - images.pixels / 255) ** 2).flatten().tolist())
    (update,) = method.step(images, 0.0)
    assert update.loss.item() == pytest.approx(error / 2, rel=1e-4)


def test_the_decoder_is_that_of_the_public_code_layer_by_layer():
    """Written out for 32x32 pixels and three stages, as in that code."""
    decoder = made((32, 32), embedding=32).decoder.train()
    z = torch.randn(4, 32)
    found = decoder(z)

    def norm(maps):
        dims = [0, *range(2, maps.ndim)]
        shape = [1, -1, *[1] * (maps.ndim - 2)]
        mean, spread = maps.mean(dims), maps.var(dims, unbiased=False)
        return (maps - mean.view(shape)) / (spread.view(shape) + 1e-4).sqrt()

    maps = F.leaky_relu(norm(z).view(4, 2, 4, 4), 0.01)
    for stage in decoder.stages[:3]:
        maps = F.leaky_relu(norm(F.conv_transpose2d(maps, stage.weight, padding=2)), 0.01)
        maps = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)  # nearest
    expected = F.conv_transpose2d(maps, decoder.stages[3].weight, padding=2).sigmoid()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert [tuple(stage.weight.shape[:2]) for stage in decoder.stages] == [
        (2, 16), (16, 8), (8, 4), (4, 3),
    ]  # fmt: skip
    assert not [name for name, _ in decoder.named_parameters() if name.endswith("bias")]


def test_images_of_other_sizes_are_reconstructed_and_a_width_that_does_not_fit_is_refused():
    method = made((12, 20), embedding=6)
    assert method.decoder(torch.randn(2, 6)).shape == (2, 3, 12, 20)
    with pytest.raises(ValueError, match="width 7 does not fill the 2x3 places"):
        made((12, 20), embedding=7)


def test_deep_svdd_starts_with_the_whole_encoder(toy, tmp_path):
    small = ["backbone={name: lenet, width: 0.125}", "schedule=uniform", "scorer=method_output",
             "objective=[]", "train.epochs=1"]  # fmt: skip
    adframe.run(toy(*small, "method={name: autoencoder, embedding: 8}"), tmp_path / "first")
    start = [*small, f"start.init_from={tmp_path / 'first'}"]
    adframe.run(toy(*start, "method={name: deep_svdd, embedding: 8}", "train.epochs=0"),
                tmp_path / "next")  # fmt: skip
    first, after = (
        read_tensors(tmp_path / run / "model.safetensors")[0] for run in ("first", "next")
    )
    taken = [name for name in after if name.startswith(("method/backbone.", "method/project."))]
    assert "method/project.weight" in taken
    assert all(torch.equal(first[name], after[name]) for name in taken)
    centre = after["method/centre"]
    assert bool((centre.abs() >= 0.1 - 1e-6).all())
    wrong = toy(*start, "method={name: deep_sad, embedding: 4}")
    with pytest.raises(adframe.UserError, match="project: does not fit the method: another shape"):
        adframe.run(wrong)
