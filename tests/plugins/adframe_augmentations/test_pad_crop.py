import numpy as np
import pytest
import torch
from torch import Tensor

from adframe.interfaces import RandomKeys
from adframe_augmentations.pad_crop import PadCrop


def noise(count: int = 64, height: int = 6, width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, 3, height, width), generator=generator).byte()


def keys(count: int = 64) -> RandomKeys:
    return RandomKeys.from_index(0, torch.arange(count))


def crops(image: Tensor, padding: int) -> dict[tuple[int, int, bool], Tensor]:
    """All that padding and cropping an image may give, by row, column and mirroring."""
    padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))
    _, height, width = image.shape
    return {
        (row, column, mirrored): torch.from_numpy(
            np.ascontiguousarray(cut[..., ::-1] if mirrored else cut)
        )
        for row in range(2 * padding + 1)
        for column in range(2 * padding + 1)
        for cut in [padded[:, row : row + height, column : column + width]]
        for mirrored in (False, True)
    }


def test_each_image_is_a_crop_of_itself_padded_with_black_and_all_crops_occur() -> None:
    images, seen = noise(400), set()
    for image, made in zip(images, PadCrop(padding=2)(images, keys(400)), strict=True):
        matches = [
            at for at, cut in crops(image, 2).items() if torch.equal(made, cut.float() / 255)
        ]
        assert len(matches) == 1
        seen |= set(matches)
    assert len(seen) == 5 * 5 * 2


def test_without_padding_and_mirroring_the_image_comes_as_it_is() -> None:
    plain = PadCrop(padding=0, flip_probability=0)
    assert torch.equal(plain(noise(), keys()), noise().float() / 255)
    images = noise().double() / 255
    assert plain(images, keys()) is images


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_image_is_moved_alike_in_any_batch_and_keeps_its_type(dtype: torch.dtype) -> None:
    images = noise().to(dtype) / 255
    before, whole = images.clone(), PadCrop()(images, keys())
    part = PadCrop()(images[10:20], RandomKeys(keys().values[10:20]))
    assert torch.equal(part, whole[10:20])
    assert whole.dtype == dtype
    assert torch.equal(images, before)


def test_strength_shortens_the_moves() -> None:
    images = noise()
    assert torch.equal(PadCrop()(images, keys(), 0.0), images.float() / 255)
    weak = PadCrop(padding=4, flip_probability=0)(images, keys(), 0.25)
    for image, made in zip(images, weak, strict=True):
        cuts = [cut for (*_, mirrored), cut in crops(image, 1).items() if not mirrored]
        assert any(torch.equal(made, cut.float() / 255) for cut in cuts)
