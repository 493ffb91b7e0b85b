import pytest
import torch

from adframe_shifts.compose import Compose
from adframe_shifts.geometric import Flip, Rotation, Translation


def image(size: int = 8) -> torch.Tensor:
    return torch.randint(256, (2, 3, size, size), generator=torch.Generator().manual_seed(0)).byte()


def test_geoms_72_transformations_are_all_different() -> None:
    shift = Compose([Flip(), Translation(), Rotation()])
    assert shift.variants == 71
    seen = torch.stack([shift(image(), variant) for variant in range(72)])
    assert len(seen.flatten(1).unique(dim=0)) == 72
    assert torch.equal(seen[0], image())


def test_variants_are_counted_with_the_last_shift_fastest() -> None:
    flip, rotation = Flip(), Rotation()
    shift = Compose([flip, rotation])
    variant = 0
    for mirrored in range(2):
        for turned in range(4):
            expected = rotation(flip(image(), mirrored), turned)
            assert torch.equal(shift(image(), variant), expected)
            assert shift.parts(variant) == [mirrored, turned]
            variant += 1


def test_an_empty_product_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Compose([])
