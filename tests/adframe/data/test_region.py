"""A region of interest: only what is in it is seen, and only there do maps and masks count."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.data.ahead import attempt
from adframe.data.decode import AS_IT_IS, ImageError, read_image, read_twice
from adframe.data.masks import as_region
from adframe.data.prepare import prepared
from adframe.data.reading import ReadAs, undo
from adframe.data.region import Region, lowest_outside
from adframe.errors import UserError

FITS = ["crop", "squash", "pad"]
BOX = (4, 10, 28, 42)  # top, left, bottom, right


def _noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _mask(height=40, width=60):
    """A disc inside of BOX that touches all four sides of it."""
    y, x = np.mgrid[:height, :width] + 0.5
    return ((y - 16) / 12) ** 2 + ((x - 26) / 16) ** 2 <= 1


@pytest.fixture
def disc(tmp_path):
    Image.fromarray(_mask()).save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [None, 16, (20, 48)])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_box_is_read_as_if_it_were_the_image(tmp_path, fit, size, suffix):
    Image.fromarray(_noise(40, 60, 3)).save(tmp_path / f"a.{suffix}")
    whole = read_image(tmp_path / f"a.{suffix}").permute(1, 2, 0).numpy()
    top, left, bottom, right = BOX
    Image.fromarray(whole[top:bottom, left:right]).save(tmp_path / "cut.png")
    expected = adframe.read_images(tmp_path / "cut.png", size, fit=fit)
    for region in (BOX, list(BOX), Region(BOX)):
        found = adframe.read_images(tmp_path / f"a.{suffix}", size, fit=fit, region=region)
        assert torch.equal(found, expected)
    seen, file = read_twice(tmp_path / f"a.{suffix}", ReadAs(size, fit=fit, region=Region(BOX)))
    assert torch.equal(seen, expected[0])
    assert torch.equal(file, torch.from_numpy(whole).permute(2, 0, 1))


@pytest.mark.parametrize("fit", FITS)
def test_a_mask_is_the_box_around_it_with_grey_outside(tmp_path, disc, fit):
    pixels = _noise(40, 60, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    top, left, bottom, right = as_region(disc).box
    pixels[~_mask()] = 128
    Image.fromarray(pixels[top:bottom, left:right]).save(tmp_path / "cut.png")
    expected = adframe.read_images(tmp_path / "cut.png", 16, fit=fit)
    assert (top, left, bottom, right) == BOX
    assert torch.equal(adframe.read_images(tmp_path / "a.png", 16, fit=fit, region=disc), expected)


def test_nothing_outside_has_an_influence(tmp_path, disc):
    """Files and arrays, also through a cache and on demand."""
    pixels = _noise(40, 60, 3)
    other = np.where(_mask()[..., None], pixels, 255 - pixels)
    for name, values in {"a": pixels, "b": other}.items():
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    first, second = adframe.read_images(paths, 12, region=disc)
    assert torch.equal(first, second)
    reading = ReadAs(12, region=as_region(disc))
    for image, array in zip(adframe.read_images(paths, 12, region=disc), (pixels, other)):  # noqa: B905
        assert torch.equal(prepared(array, reading)[0], image)
    for how in ({"cache": tmp_path / "cache"}, {"workers": 0}):
        opened, _ = adframe.open_images(paths, 12, region=disc, **how)
        assert torch.equal(opened[:], torch.stack([first, first]))
    changed, _ = adframe.open_images(paths, 12, region=BOX, cache=tmp_path / "cache")
    assert not torch.equal(changed[:][0], first)


def test_an_array_of_the_size_of_the_result_is_cut_like_any_other():
    pixels = _noise(1, 16, 16, 3)
    found = prepared(pixels, ReadAs(16, region=Region((0, 0, 8, 8))))
    assert torch.equal(found, prepared(pixels[:, :8, :8], ReadAs(16)))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [16, (20, 48)])
@pytest.mark.parametrize("masked", [False, True])
def test_the_map_of_a_region_comes_back_to_its_place(disc, fit, size, masked):
    region = as_region(disc if masked else BOX)
    reading, plain = ReadAs(size, fit=fit, region=region), ReadAs(size, fit=fit)
    maps = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0))
    found = undo(maps, (40, 60), reading)
    inside = undo(maps, region.shape, plain)
    top, left, bottom, right = region.box
    mask = _mask() if masked else np.zeros((40, 60), bool)
    mask[top:bottom, left:right] |= not masked
    for one, part in zip(found.numpy(), inside.numpy(), strict=True):
        expected = np.zeros((40, 60), np.float32)
        expected[top:bottom, left:right] = part
        expected[~mask] = expected[mask].min()
        np.testing.assert_allclose(one, expected, rtol=1e-6)


@pytest.mark.parametrize("fit", FITS)
def test_a_mask_of_a_defect_shows_what_the_image_shows(tmp_path, disc, fit):
    defect = np.zeros((40, 60), np.uint8)
    defect[10:20, 20:50] = 255  # partly outside
    Image.fromarray(defect).convert("RGB").save(tmp_path / "a.png")
    Image.fromarray(defect).save(tmp_path / "defect.png")
    (found,) = adframe.open_masks(
        [tmp_path / "defect.png"], [tmp_path / "a.png"], 24, fit=fit, region=disc
    )
    pixels = adframe.read_images(tmp_path / "a.png", 24, fit=fit, region=disc)[0, 0]
    sure = (pixels < 48) | (pixels > 220)  # grey is outside of the region
    assert torch.equal(found[sure], pixels[sure] > 220)
    assert found.sum() > 40
    counted = ReadAs(24, fit=fit, region=as_region(disc)).counted()
    assert not (found & ~counted).any()
    assert counted.sum() < counted.numel()
    assert ReadAs(24, region=Region(BOX)).counted() is None


def test_a_defect_outside_is_counted_as_such(tmp_path, disc):
    images, masks = [], []
    for name, rows in {"in": slice(12, 20), "corner": slice(4, 6), "out": slice(30, 40)}.items():
        defect = np.zeros((40, 60), np.uint8)
        defect[rows, 10:14] = 1
        Image.fromarray(_noise(40, 60, 3)).save(tmp_path / f"{name}.png")
        Image.fromarray(defect).save(tmp_path / f"{name}_mask.png")
        images.append(tmp_path / f"{name}.png")
        masks.append(tmp_path / f"{name}_mask.png")
    assert adframe.open_masks(masks, images, 24, fit="squash", region=disc).outside == 2
    assert adframe.open_masks(masks, images, 24, fit="squash", region=BOX).outside == 1
    assert adframe.open_masks(masks, images, 24, fit="squash").outside == 0


def test_facts_give_an_equal_region(disc):
    for region in (as_region(disc), Region(BOX)):
        again = Region.of_facts(json.loads(json.dumps(region.facts)))
        assert again == region
        assert torch.equal(again.inside(40, 60), region.inside(40, 60))
        reading = ReadAs(8, 12, "pad", region)
        assert ReadAs.of_facts(8, json.loads(json.dumps(reading.facts))) == reading
    assert Region.of_facts(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"box": [0, 0, 4]}, {"box": "abcd"}, {"box": [4, 4, 4, 8]}, {"box": [0, 0, 4, True]},
        {"mask": "!"}, {"mask": "aaaa"}, {"size": [4, 4]}, {"size": None}, {"box": [4, 10, 28, 43]},
    ],
)  # fmt: skip
def test_damaged_facts_are_one_error(disc, change):
    with pytest.raises(ValueError, match="^region is damaged"):
        Region.of_facts(as_region(disc).facts | change)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 4), (4, 0, 2, 4), (0, 5, 4, 5), (-1, 0, 4, 4), (0, 0, 4), (0, 0, 4, "a"), 7]
)
def test_a_box_that_is_none_is_one_line(box):
    with pytest.raises(UserError, match=r"^region: must be the file of a mask, or \[top, left"):
        as_region(box)


def test_a_mask_that_cannot_be_used_is_one_line(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("no image")
    for name, text in {
        "empty.png": "marks no pixel", "text.png": "not an image", "gone.png": "No such file",
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=rf"{name}: {text}"):
            as_region(tmp_path / name)


def test_an_image_without_the_region_is_named(tmp_path, disc):
    Image.new("RGB", (60, 20)).save(tmp_path / "low.png")
    for region, text in (
        (BOX, r"60x20 pixels; the box \[4, 10, 28, 42\] of its region is not inside"),
        (disc, "60x20 pixels; the mask of its region has 60x40"),
    ):
        with pytest.raises(ImageError, match=rf"low\.png: {text}$"):
            adframe.read_images(tmp_path / "low.png", 16, region=region)
        reading = ReadAs(16, region=as_region(region))
        assert isinstance(attempt(tmp_path / "low.png", reading), ImageError)
        with pytest.raises(ImageError, match="image of mode RGB: 60x20 pixels"):
            prepared(Image.new("RGB", (60, 20)), reading)


def test_a_region_between_all_pixels_changes_no_map():
    maps = torch.rand(2, 4, 4)
    assert torch.equal(lowest_outside(maps, torch.zeros(4, 4, dtype=torch.bool)), maps)
    assert AS_IT_IS.counted() is None
