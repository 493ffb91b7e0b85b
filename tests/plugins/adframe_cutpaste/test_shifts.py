import math

import pytest
import torch
from torch import Tensor

from adframe.interfaces import Augmentation, RandomKeys
from adframe_cutpaste.shifts import CutPaste, CutPasteScar, pasted

BOTH = [CutPaste, CutPasteScar]


def noise(count: int = 40, height: int = 16, width: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, height, width), generator=generator).byte()


class Darker(Augmentation):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        values = images if images.is_floating_point() else images.float() / 255
        return values / 2


def column(*values: float) -> Tensor:
    return torch.tensor([list(values)])


def by_loops(image: Tensor, patch: Tensor, size, source, target, angle: float) -> Tensor:
    """Each pixel turned back into the rectangle's axes, one by one."""
    out = image.clone()
    _, height, width = image.shape
    for y in range(height):
        for x in range(width):
            dx, dy = x + 0.5 - target[0], y + 0.5 - target[1]
            # Up is minus y: turning clockwise by the angle undoes the patch's turn.
            u = dx * math.cos(angle) - dy * math.sin(angle)
            v = dx * math.sin(angle) + dy * math.cos(angle)
            if -size[0] / 2 <= u < size[0] / 2 and -size[1] / 2 <= v < size[1] / 2:
                from_x = min(max(math.floor(u + source[0]), 0), width - 1)
                from_y = min(max(math.floor(v + source[1]), 0), height - 1)
                out[:, y, x] = patch[:, from_y, from_x]
    return out


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.7])
def test_pasting_equals_explicit_loops(angle: float) -> None:
    image, patch = noise(2, 10, 12)
    size, source, target = (4.0, 3.0), (5.0, 3.5), (8.0, 6.5)
    made = pasted(image[None], patch[None], column(*size), column(*source), column(*target),
                  torch.tensor([angle]))[0]  # fmt: skip
    assert torch.equal(made, by_loops(image, patch, size, source, target, angle))


def test_a_straight_patch_is_a_slice_and_a_quarter_turn_is_counter_clockwise() -> None:
    image = noise(1)[0]
    expected = image.clone()
    expected[:, 9:12, 2:6] = image[:, 1:4, 8:12]
    made = pasted(image[None], image[None], column(4, 3), column(10, 2.5), column(4, 10.5),
                  torch.zeros(1))[0]  # fmt: skip
    assert torch.equal(made, expected)
    expected = image.clone()
    expected[:, 9:13, 2:5] = torch.rot90(image[:, 1:4, 8:12], 1, (-2, -1))
    made = pasted(image[None], image[None], column(4, 3), column(10, 2.5), column(3.5, 11),
                  torch.tensor([math.pi / 2 - 1e-6]))[0]  # fmt: skip
    assert torch.equal(made, expected)


@pytest.mark.parametrize("form", BOTH)
@pytest.mark.parametrize("images", [noise(), noise().float() / 255, noise(5, 25, 25)])
def test_an_image_is_shifted_alike_in_any_batch_and_stays_what_it_was(form, images) -> None:
    shift, before = form(), images.clone()
    made = shift(images, 1)
    assert made.dtype == images.dtype
    assert made.shape == images.shape
    assert torch.equal(shift(images[[3, 1]], 1), made[[3, 1]])
    assert torch.equal(images, before)
    assert shift(images, 0) is images


@pytest.mark.parametrize("form", BOTH)
def test_nearly_every_image_changes_in_a_place_of_its_own(form) -> None:
    changed = (form()(noise(), 1) != noise()).any(1)  # (N, H, W)
    assert float(changed.flatten(1).any(1).float().mean()) > 0.7
    assert len(changed.flatten(1).unique(dim=0)) > 25
    assert float(changed.float().mean((1, 2)).max()) < 0.25


def test_the_two_forms_draw_apart() -> None:
    square = {"width": (0.25, 0.25), "height": (0.25, 0.25), "degrees": 0.0}
    alike = CutPaste(area=(1 / 16, 1 / 16), ratio=(1.0, 1.0))(noise(), 1)
    assert not torch.equal(alike, CutPasteScar(**square)(noise(), 1))


def extent(changed: Tensor) -> tuple[int, int]:
    rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
    return int(columns.max() - columns.min()) + 1, int(rows.max() - rows.min()) + 1


def test_patches_have_the_area_and_the_ratio_asked_for_and_are_whole_rectangles() -> None:
    # A jitter to half tells the patch from what it covers.
    images = torch.full((300, 3, 32, 32), 0.8)
    images[:, 0, 0, 0] = torch.linspace(0, 0.5, 300)  # images that differ draw differently
    ratios = []
    for change in (CutPaste(jitter=Darker())(images, 1) != images)[:, 1]:
        wide, tall = extent(change)
        assert int(change.sum()) == wide * tall
        assert 0.013 < wide * tall / 32**2 < 0.17  # sides are rounded to pixels
        ratios.append(wide / tall)
    assert min(ratios) < 0.45
    assert max(ratios) > 2.2
    assert min(ratios) > 0.25
    assert max(ratios) < 4


def test_scars_are_thin_turned_and_within_the_image() -> None:
    images = torch.full((24, 3, 256, 256), 0.8)
    images[:, 0, 0, 0] = torch.linspace(0, 0.5, 24)
    for change in (CutPasteScar(jitter=Darker())(images, 1) != images)[:, 1]:
        assert 2 * 10 * 0.6 < int(change.sum()) < 16 * 25 * 1.3
        wide, tall = extent(change)
        assert max(wide, tall) <= math.hypot(16, 25) + 1


def test_jitter_is_for_the_patch_alone_and_keeps_bytes() -> None:
    plain, dark = CutPaste()(noise(), 1), CutPaste(jitter=Darker())(noise(), 1)
    assert dark.dtype == torch.uint8
    outside = dark == noise()
    halves = (plain.float() / 2).round()
    assert bool((outside | ((dark.float() - halves).abs() <= 1)).all())
    assert bool((~outside).any())


@pytest.mark.parametrize(
    ("form", "options"),
    [(CutPaste, {"area": (0.5, 0.1)}), (CutPaste, {"ratio": (2.0, 1.0)}),
     (CutPasteScar, {"width": (0.5, 0.1)}), (CutPasteScar, {"height": (0.5, 0.1)})],
)  # fmt: skip
def test_bounds_that_fall_are_refused(form, options) -> None:
    with pytest.raises(ValueError, match="must rise"):
        form(**options)


@pytest.mark.parametrize("form", BOTH)
def test_tiny_images_are_shifted_too(form) -> None:
    assert form()(noise(4, 2, 3), 1).shape == (4, 3, 2, 3)
