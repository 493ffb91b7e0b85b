"""The batched pipeline against torchvision's functions, one image at a time."""

import math
from itertools import pairwise

import pytest
import torch
import torchvision
import torchvision.transforms.v2.functional as T
from scipy import stats
from torch import Tensor

from adframe import build
from adframe.errors import ConfigError
from adframe.interfaces import RandomKeys
from adframe.ops import luma
from adframe.registry.loading import LoadedPlugins
from adframe_augmentations.simclr import SimCLR, crop, jitter_colour, turn_hue

STEP = 1 / 255
OFF = {"jitter_probability": 0.0, "grayscale_probability": 0.0, "flip_probability": 0.0}
WHOLE = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
STILL = {**OFF, **WHOLE}


class Constant(RandomKeys):
    """RandomKeys one and the same number, so that a test knows the parameters of the pipeline."""

    def __init__(self, value: float, count: int) -> None:
        super().__init__(torch.arange(count))
        self.value = value

    def uniform(self, *shape: int) -> Tensor:
        return torch.full((len(self), *shape), self.value)


class Given(RandomKeys):
    """Random keys of one image that draw what a test lists, then zeros."""

    def __init__(self, draws: list[list[float]]) -> None:
        super().__init__(torch.arange(1))
        self.draws = iter(draws)

    def uniform(self, *shape: int) -> Tensor:
        return torch.tensor(next(self.draws, [0.0] * math.prod(shape))).view(1, *shape)


def noise(count: int = 4, height: int = 32, width: int = 32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator)


def colours() -> Tensor:
    """(2, 3, 27, 27) every colour of a coarse grid: the primaries, the grays, black and white."""
    levels = torch.linspace(0, 1, 9)
    grid = torch.cartesian_prod(levels, levels, levels).T.reshape(3, 27, 27)
    return torch.stack([grid, grid.flip(0)])


def ramp(count: int, size: int = 16) -> Tensor:
    """Images that say of each pixel where it was: red across, green down; blue is a half."""
    at = (torch.arange(size) + 0.5) / size
    across, down = at.expand(size, size), at[:, None].expand(size, size)
    return torch.stack([across, down, torch.full((size, size), 0.5)]).expand(count, -1, -1, -1)


def keys(count: int, seed: int = 0) -> RandomKeys:
    return RandomKeys.from_index(seed, torch.arange(count))


def close(ours: Tensor, theirs: Tensor, atol: float = STEP) -> None:
    torch.testing.assert_close(ours, theirs, atol=atol, rtol=0)


# --- crop and flip --------------------------------------------------------------------------------

#        top, left, height, width
BOXES = [
    (0, 0, 24, 32),
    (0, 0, 1, 1),
    (23, 31, 1, 1),
    (5, 7, 12, 16),
    (3, 0, 20, 9),
    (8, 20, 2, 11),
]


@pytest.mark.parametrize("flipped", [False, True])
def test_a_crop_of_whole_pixels_is_torchvisions(flipped: bool) -> None:
    images = noise(len(BOXES), 24, 32)
    top, left, height, width = torch.tensor(BOXES).T
    flip = torch.full((len(BOXES),), flipped)
    ours = crop(images, left / 32, top / 24, width / 32, height / 24, flip)
    for image, box, out in zip(images, BOXES, ours, strict=True):
        expected = T.resized_crop(image, *box, size=[24, 32], antialias=False)
        close(out, T.hflip(expected) if flipped else expected, atol=STEP / 10)


def test_each_image_is_flipped_or_not_by_itself() -> None:
    images, zero, one = noise(), torch.zeros(4), torch.ones(4)
    out = crop(images, zero, zero, one, one, torch.tensor([True, False, False, True]))
    close(out[[1, 2]], images[[1, 2]], atol=1e-5)
    close(out[[0, 3]], images[[0, 3]].flip(-1), atol=1e-5)


def test_a_crop_never_reaches_beyond_its_box() -> None:
    images = torch.ones(1, 3, 16, 16)
    images[:, :, 4:9, 6:13] = 0
    box = [torch.tensor([v / 16]) for v in (6, 4, 7, 5)]
    assert not crop(images, *box, torch.tensor([False])).any()


# --- colour ---------------------------------------------------------------------------------------

AMOUNTS = [-0.9, -0.4, -0.1, 0.0, 0.25, 0.4, 0.8]
TURNS = [-0.5, -0.35, -0.1, 0.0, 0.1, 0.2, 0.5]
ADJUST = [T.adjust_brightness, T.adjust_contrast, T.adjust_saturation]


@pytest.mark.parametrize("images", [noise(2), colours()], ids=["noise", "colours"])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("amount", AMOUNTS)
def test_one_jitter_is_torchvisions(images: Tensor, which: int, amount: float) -> None:
    factors = torch.zeros(2, 4)
    factors[:, which] = amount
    close(jitter_colour(images, factors), ADJUST[which](images, 1 + amount))


@pytest.mark.parametrize("images", [noise(2), colours()], ids=["noise", "colours"])
@pytest.mark.parametrize("turn", TURNS)
def test_a_turn_of_hue_is_torchvisions(images: Tensor, turn: float) -> None:
    close(turn_hue(images, torch.full((2, 1, 1, 1), turn)), T.adjust_hue(images, turn))
    factors = torch.tensor([[0, 0, 0, turn]]).expand(2, 4)
    close(jitter_colour(images, factors), T.adjust_hue(images, turn))


def chain(
    image: Tensor, brightness: float, contrast: float, saturation: float, hue: float
) -> Tensor:
    image = T.adjust_brightness(image, 1 + brightness)
    image = T.adjust_contrast(image, 1 + contrast)
    return T.adjust_hue(T.adjust_saturation(image, 1 + saturation), hue)


def test_all_four_are_chained_in_the_documented_order_each_image_with_its_own() -> None:
    generator = torch.Generator().manual_seed(2)
    factors = (torch.rand(12, 4, generator=generator) * 2 - 1) * torch.tensor([0.4, 0.4, 0.4, 0.1])
    images = torch.cat([noise(10), colours().repeat(1, 1, 2, 2)[:, :, :32, :32]])
    out = jitter_colour(images, factors)
    for image, row, ours in zip(images, factors.tolist(), out, strict=True):
        close(ours, chain(image, *row))


def test_the_order_of_the_chain_matters_so_the_test_of_it_can_fail() -> None:
    image, amount = noise(1)[0], 0.4
    swapped = T.adjust_brightness(T.adjust_contrast(image, 1 - amount), 1 + amount)
    ours = jitter_colour(image[None], torch.tensor([[amount, -amount, 0, 0]]))[0]
    assert (ours - swapped).abs().max() > 10 * STEP


@pytest.mark.parametrize("images", [noise(2), colours()], ids=["noise", "colours"])
def test_no_jitter_gives_the_image_back(images: Tensor) -> None:
    close(jitter_colour(images, torch.zeros(2, 4)), images, atol=1e-6)


# --- the pipeline ---------------------------------------------------------------------------------


def test_the_whole_pipeline_is_torchvisions_at_the_same_parameters() -> None:
    # Every draw is 1/4: flipped (< 0.5), jittered (< 0.8), not gray (> 0.2); a crop of half the
    # side starts at 1/4 of what is left, 4 pixels; factors are at -1/2 of their range.
    images = noise()
    ours = SimCLR(scale=(0.25, 0.25), ratio=(1.0, 1.0))(images, Constant(0.25, 4))
    for image, out in zip(images, ours, strict=True):
        cut = T.hflip(T.resized_crop(image, 4, 4, 16, 16, size=[32, 32], antialias=False))
        close(out, chain(cut, -0.2, -0.2, -0.2, -0.05))


def test_gray_comes_last() -> None:
    images = noise()
    augment = SimCLR(**WHOLE, flip_probability=0.0, grayscale_probability=1.0)
    ours = augment(images, Constant(0.75, 4))
    for image, out in zip(images, ours, strict=True):
        close(out, T.rgb_to_grayscale(chain(image, 0.2, 0.2, 0.2, 0.05), num_output_channels=3))


def test_strength_scales_the_jitter_in_a_line() -> None:
    images, augment = noise(), SimCLR(**WHOLE, flip_probability=0.0, grayscale_probability=0.0)
    ours = augment(images, Constant(0.75, 4), strength=0.5)
    for image, out in zip(images, ours, strict=True):
        close(out, chain(image, 0.1, 0.1, 0.1, 0.025))


def test_strength_scales_the_crops_smallest_area_in_a_line() -> None:
    # area = 1 - 1/2 * strength * (1 - 1/16) = (7/8)^2 at strength 1/2: 28 of 32 pixels.
    images, augment = noise(), SimCLR(**{**OFF, "scale": (1 / 16, 1.0), "ratio": (1.0, 1.0)})
    ours = augment(images, Constant(0.5, 4), strength=0.5)
    expected = T.resized_crop(images, 2, 2, 28, 28, size=[32, 32], antialias=False)
    close(ours, expected, atol=STEP / 10)


def test_strength_scales_the_ratio_in_its_logarithm() -> None:
    # At strength 1/2 a ratio of 16 is one of 4: a crop of area 1/4 is 32 wide and 8 high.
    images, augment = noise(), SimCLR(**{**OFF, "scale": (0.25, 0.25), "ratio": (1 / 4, 4.0)})
    tall = augment(images, Constant(0.0, 4), strength=1.0)
    close(tall, T.resized_crop(images, 0, 0, 32, 8, size=[32, 32], antialias=False), STEP / 10)
    images = noise(height=16, width=16)
    half = augment(images, Constant(0.0, 4), strength=0.5)  # 1/4 ** 0.5: half as wide as high
    # (1/4 * 1/2) ** 0.5 and (1/4 / 1/2) ** 0.5 of 16 pixels: 5.7 and 11.3.
    close(half, T.resized_crop(images, 0, 0, 11, 6, size=[16, 16], antialias=False), STEP / 10)


def test_a_box_that_does_not_fit_is_drawn_again_and_the_first_that_fits_is_taken() -> None:
    # Areas 1, 1, 1/4; ratios 4, 4, 1: the first two boxes are 64 wide and 16 high.
    areas, ratios = [1.0, 1.0, *[0.25] * 8], [4.0, 4.0, 1.0, *[1 / 4] * 7]
    draws = [(1 - area) / (1 - 0.04) for area in areas]
    logs = [(math.log(ratio) + math.log(4)) / (2 * math.log(4)) for ratio in ratios]
    images = noise(1)
    given = Given([draws + logs, [0.999, 0.0]])
    out = SimCLR(**{**OFF, "scale": (0.04, 1.0), "ratio": (1 / 4, 4.0)})(images, given)
    close(out, T.resized_crop(images, 0, 16, 16, 16, size=[32, 32], antialias=False), STEP / 10)


@pytest.mark.parametrize(
    ("ratio", "box"),  # top, left, height, width of 24 x 24
    [((0.5, 2.0), (0, 0, 24, 24)), ((2.0, 3.0), (6, 0, 12, 24)), ((0.25, 0.5), (0, 6, 24, 12))],
)
def test_without_a_box_that_fits_it_is_the_largest_in_the_middle(ratio, box) -> None:
    images = noise(4, 24, 24)
    still = {**OFF, "scale": (1.0, 1.0), "ratio": ratio}
    close(
        SimCLR(**still)(images, Constant(0.1, 4)),
        T.resized_crop(images, *box, size=[24, 24], antialias=False),
        STEP / 10,
    )
    fixed = torchvision.transforms.RandomResizedCrop(24, (1.0, 1.0), ratio)
    theirs = {fixed.get_params(images, fixed.scale, fixed.ratio) for _ in range(20)}
    assert box in theirs


def test_strength_zero_is_a_flip_only() -> None:
    images = noise(64, 8, 8)
    out = SimCLR()(images, keys(64), strength=0.0)
    kept = (out - images).abs().amax((1, 2, 3)) < 1e-5
    mirrored = (out - images.flip(-1)).abs().amax((1, 2, 3)) < 1e-5
    assert (kept ^ mirrored).all()
    assert kept.any()
    assert mirrored.any()


def test_a_stronger_pipeline_changes_images_more() -> None:
    images = noise(300, 12, 12)
    change = [
        (SimCLR(flip_probability=0.0)(images, keys(300), strength) - images).abs().mean().item()
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert change == sorted(change)
    assert change[0] < 1e-5
    assert min(b - a for a, b in pairwise(change)) > 0.005


def test_a_fixed_crop_is_as_large_at_every_strength() -> None:
    augment = SimCLR(**{**OFF, "scale": (0.25, 0.25), "ratio": (1.0, 1.0)})
    for strength in (0.0, 0.5, 1.0):
        left, _, width, height = boxes(augment(ramp(50), keys(50), strength))
        close(width, torch.full((50,), 0.5), 1e-5)
        close(height, torch.full((50,), 0.5), 1e-5)
        assert left.std() > 0.1


def test_the_default_strength_is_the_full_pipeline() -> None:
    images = noise()
    assert torch.equal(SimCLR()(images, keys(4)), SimCLR()(images, keys(4), 1.0))


# --- each image by itself -------------------------------------------------------------------------


def test_the_same_keys_give_the_same_views_and_others_give_others() -> None:
    images = noise()
    first, again, other = (SimCLR()(images, keys(4, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert ((first - other).abs().amax((1, 2, 3)) > STEP).all()


def test_equal_images_with_different_keys_get_different_views() -> None:
    out = SimCLR()(noise(1).expand(16, -1, -1, -1), keys(16))
    distance = torch.cdist(out.flatten(1), out.flatten(1)) + torch.eye(16) * 99
    assert distance.min() > 0.5


# --- type and range -------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [noise(64, 8, 8), colours()], ids=["noise", "colours"])
def test_the_result_is_within_zero_and_one(images: Tensor) -> None:
    out = SimCLR(jitter=(0.9, 0.9, 0.9, 0.5))(images, keys(len(images)))
    assert out.min() >= 0
    assert out.max() <= 1


def test_bytes_become_float32_in_zero_to_one() -> None:
    images = (noise() * 255).round().byte()
    out = SimCLR()(images, keys(4))
    assert out.dtype == torch.float32
    close(out, SimCLR()(images.float() / 255, keys(4)), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_floating_point_keeps_its_type(dtype: torch.dtype) -> None:
    out = SimCLR()(noise().to(dtype), keys(4))
    assert out.dtype == dtype
    close(out.float(), SimCLR()(noise(), keys(4)), atol=0.1)


def test_images_need_not_be_square() -> None:
    assert SimCLR()(noise(4, 16, 24), keys(4)).shape == (4, 3, 16, 24)


# --- how often, and how much ----------------------------------------------------------------------

MANY = 20_000


def boxes(out: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(left, top, width, height) of the crops of ``ramp`` images, as shares, from the pixels."""
    half = 0.5 / out.shape[-1]
    (left, right), (top, bottom) = (
        (line[:, 0] - half, line[:, -1] + half) for line in (out[:, 0, 0], out[:, 1, :, 0])
    )
    return left, top, right - left, bottom - top


def often(hits: Tensor, probability: float) -> None:
    """Within 4.5 standard deviations of a binomial; the keys are fixed, so never flaky."""
    deviation = math.sqrt(probability * (1 - probability) / len(hits))
    assert abs(hits.double().mean().item() - probability) <= 4.5 * deviation


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 1.0])
def test_as_many_images_are_mirrored_as_asked(probability: float) -> None:
    out = SimCLR(**{**STILL, "flip_probability": probability})(ramp(MANY, 2), keys(MANY))
    often(out[:, 0, 0, 0] > out[:, 0, 0, 1], probability)


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.8, 1.0])
def test_as_many_images_are_jittered_as_asked(probability: float) -> None:
    out = SimCLR(**{**STILL, "jitter_probability": probability})(ramp(MANY, 2), keys(MANY))
    often((out - ramp(MANY, 2)).abs().amax((1, 2, 3)) > 1e-4, probability)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_share_of_gray_images_is_the_probability_times_strength(strength: float) -> None:
    augment = SimCLR(**{**STILL, "grayscale_probability": 0.2})
    out = augment(ramp(MANY, 2), keys(MANY), strength)
    often((out.amax(1) - out.amin(1)).amax((1, 2)) < 1e-4, 0.2 * strength)


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("scale", [(0.08, 1.0), (0.2, 1.0), (0.08, 0.5)])
def test_crops_are_distributed_as_torchvisions(scale: tuple[float, float], size: int) -> None:
    augment = SimCLR(**{**OFF, "scale": scale})
    ours = [v.double() for v in boxes(augment(ramp(MANY, size), keys(MANY)))]
    torch.manual_seed(0)
    drawn = torchvision.transforms.RandomResizedCrop(size, scale)
    image = torch.empty(3, size, size)
    theirs = [drawn.get_params(image, drawn.scale, drawn.ratio) for _ in range(MANY)]
    top, left, height, width = torch.tensor(theirs, dtype=torch.float64).T / size

    def seen(left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> list[Tensor]:
        area, ratio = width * height, width / height
        return [
            area,
            ratio,
            left,
            top,
            left / (1 - width + 1 / size),
            top / (1 - height + 1 / size),
        ]

    for mine, other in zip(seen(*ours), seen(left, top, width, height), strict=True):
        # Rounded, since boxes read from pixels in float32 are not exactly whole pixels.
        assert stats.ks_2samp(mine.numpy().round(4), other.numpy().round(4)).pvalue > 1e-3
    assert abs(float((ours[2] * ours[3]).mean()) - float((width * height).mean())) < 0.01


def test_crops_of_the_default_pipeline_stay_within_the_image() -> None:
    left, top, width, height = boxes(SimCLR(**OFF)(ramp(MANY), keys(MANY)))
    assert min(left.min(), top.min()) > -1e-5
    assert max((left + width).max(), (top + height).max()) < 1 + 1e-5
    area = width * height
    assert area.min() > 0.07  # whole pixels of 16: not exactly 0.08
    assert area.min() < 0.09
    assert area.max() > 0.98


def test_brightness_factors_are_uniform_over_their_range() -> None:
    augment = SimCLR(**{**STILL, "jitter_probability": 1.0, "jitter": (0.4, 0.0, 0.0, 0.0)})
    gray = torch.full((MANY, 3, 1, 1), 0.5)
    factors = augment(gray, keys(MANY))[:, 0, 0, 0].double() / 0.5
    assert stats.kstest(factors.numpy(), "uniform", args=(0.6, 0.8)).pvalue > 1e-3


def test_flip_jitter_and_gray_are_drawn_independently() -> None:
    augment = SimCLR(**WHOLE, jitter=(0.4, 0.0, 0.0, 0.0), grayscale_probability=0.5)
    out = augment(ramp(MANY, 2), keys(MANY))
    gray = (out.amax(1) - out.amin(1)).amax((1, 2)) < 1e-4
    mirrored = out[:, 0, 0, 0] > out[:, 0, 0, 1]
    often(gray & mirrored, 0.25)
    plain = luma(ramp(1, 2))
    brighter = out[gray].mean((1, 2, 3)) > plain.mean() + 1e-4
    often(brighter, 0.4)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"scale": (0.5, 0.2)}, {"ratio": (2.0, 0.5)}])
def test_a_range_that_falls_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="must rise"):
        SimCLR(**options)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale", [0.5, 1.5]),
        ("scale", [0.0, 1.0]),
        ("scale", [0.5]),
        ("ratio", [0.0, 1.0]),
        ("jitter", [0.4, 0.4, 0.4, 0.6]),
        ("jitter", [0.4, -0.1, 0.4, 0.1]),
        ("jitter", [0.4, 0.4, 0.4]),
        ("flip_probability", 1.1),
        ("grayscale_probability", -0.1),
    ],
)
def test_options_out_of_bounds_are_refused(key: str, value: object, loaded: LoadedPlugins) -> None:
    with pytest.raises(ConfigError, match=key):
        build("augmentation", {"name": "simclr", key: value}, loaded)


def test_options_at_their_bounds_are_taken(loaded: LoadedPlugins) -> None:
    options = {"scale": [1.0, 1.0], "ratio": [1.0, 1.0], "jitter": [0.0, 0.0, 0.0, 0.5]}
    built = build("augmentation", {"name": "simclr", **options}, loaded)
    assert {key: list(getattr(built, key)) for key in options} == options
