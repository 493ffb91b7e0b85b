import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Batch, MethodParts, RandomKeys
from adframe_anogan.method import AnoGAN
from adframe_augmentations.pad_crop import PadCrop
from adframe_backbones.dcgan import DCGAN
from adframe_schedules.uniform import Uniform


@pytest.fixture(scope="module")
def method() -> AnoGAN:
    torch.manual_seed(0)
    made = AnoGAN(latent=6, steps=40, search_rate=0.1, search_batch=8)
    same = Uniform(PadCrop(padding=0, flip_probability=0))
    made.setup(MethodParts(DCGAN(width=0.125), [], same, [], 1, image_size=(10, 10)))
    for name, weight in made.named_parameters():  # as large as if trained, so that codes matter
        if weight.ndim > 1 and not name.startswith("real"):
            torch.nn.init.kaiming_normal_(weight)
    return made


def pixels(count: int = 11) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (count, 3, 10, 10), generator=generator).byte()


def test_a_score_depends_on_no_other_image_and_on_no_batch(method: AnoGAN) -> None:
    images = pixels().float() / 255
    method.eval()
    with torch.no_grad():
        whole = method.embed(images)["anomaly"]
        order = torch.tensor([9, 0])
        some = method.embed(images[order])["anomaly"]
        alone = method.embed(images[2:3])["anomaly"]
    torch.testing.assert_close(some, whole[order], rtol=1e-5, atol=0)
    torch.testing.assert_close(alone, whole[2:3], rtol=1e-5, atol=0)
    assert whole.shape == (11, 1)
    assert len(whole.unique()) == 11


def test_nothing_is_searched_for_an_output_that_nobody_reads(method: AnoGAN, monkeypatch) -> None:
    images, searched = pixels().float() / 255, list[Tensor]()

    def search(images: Tensor) -> Tensor:
        searched.append(images)
        return torch.zeros(len(images))

    monkeypatch.setattr(method, "_searched", search)
    method.eval()
    with torch.no_grad():
        assert list(method.embed_only(images, ["features"])) == ["features"]
        assert not searched
        assert list(method.embed_only(images, ["anomaly"])) == ["features", "anomaly"]
        assert list(method.embed(images)) == ["features", "anomaly"]
    assert len(searched) == 2


def test_the_search_finds_images_that_the_generator_makes(method: AnoGAN) -> None:
    method.eval()
    with torch.no_grad():
        made = method.generator(torch.rand(8, 6) * 2 - 1)
        near, far = (method.embed(x)["anomaly"] for x in (made, pixels(8).float() / 255))
    assert near.max() < far.min()


def test_discriminator_and_generator_minimise_their_cross_entropies(method: AnoGAN) -> None:
    images, count = pixels(4), 4
    batch = Batch(images, torch.full((count,), -1), RandomKeys.from_index(0, torch.arange(count)))
    method.eval()
    updates = list(method.step(batch, 0.0))
    assert [update.group for update in updates] == list(method.groups())
    fake = method.generator(2 * batch.keys.fold_in(1).uniform(6) - 1)
    real, made = (
        method.real(method.backbone(x)[-1].flatten(1)) for x in (images.float() / 255, fake)
    )
    ones, zeros = torch.ones(count, 1), torch.zeros(count, 1)
    entropy = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(updates[0].loss, entropy(real, ones) + entropy(made, zeros))
    torch.testing.assert_close(updates[1].loss, entropy(made, ones))


def test_the_discriminator_does_not_train_the_generator(method: AnoGAN) -> None:
    batch = Batch(pixels(4), torch.zeros(4), RandomKeys.from_index(0, torch.arange(4)))
    update = next(iter(method.step(batch, 0.0)))
    moved = torch.autograd.grad(update.loss, method.groups()["generator"], allow_unused=True)
    assert all(pull is None for pull in moved)
