"""With ``draft`` the decoder halves large JPEG pictures; everything else is read as before."""

import numpy as np
import pytest
import torch
from PIL import Image

from adframe import read_images
from adframe.data.decode import read_image, read_twice
from adframe.data.reading import ReadAs


@pytest.fixture
def picture(tmp_path):
    """A smooth picture of 400x304 pixels, as a JPEG file."""
    draw = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    file = tmp_path / "picture.jpg"
    Image.fromarray(draw).resize((400, 304), Image.Resampling.BICUBIC).save(file, quality=90)
    return file


def halved(file, by, side):
    """What Pillow gives if it decodes the file at that part of its size."""
    with Image.open(file) as image:
        wide, high = image.size[0] // by, image.size[1] // by
        image.draft(None, (wide, high))
        assert image.size == (wide, high)
        left = (wide - high) / 2
        small = image.resize((side, side), Image.Resampling.BILINEAR, (left, 0, left + high, high))
        return torch.from_numpy(np.array(small)).permute(2, 0, 1)


@pytest.mark.parametrize(("side", "by"), [(50, 2), (25, 4), (12, 8)])
def test_each_pixel_of_the_result_keeps_three_of_the_picture(picture, side, by):
    found = read_image(picture, ReadAs(side, draft=True))
    assert torch.equal(found, halved(picture, by, side))
    whole = read_image(picture, ReadAs(side))
    assert 0 < (found.float() - whole.float()).abs().mean() < 2


def test_a_picture_that_is_not_six_times_as_large_is_read_whole(picture):
    assert torch.equal(read_images(picture, 51, draft=True), read_images(picture, 51))
    assert torch.equal(read_images(picture, draft=True), read_images(picture))


def test_another_format_is_read_whole(picture, tmp_path):
    file = tmp_path / "picture.png"
    with Image.open(picture) as image:
        image.save(file)
    assert torch.equal(read_images(file, 20, draft=True), read_images(file, 20))


def test_a_turned_picture_is_the_same_turned(picture, tmp_path):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.write_bytes(picture.read_bytes())
    with Image.open(picture) as image:
        image.save(turned, quality="keep", exif=exif)
    size = {"size": (30, 20), "fit": "squash", "draft": True}
    found = read_image(turned, ReadAs(**size))
    upright = read_image(picture, ReadAs(**{**size, "size": (20, 30)}))
    assert not torch.equal(found, read_image(turned, ReadAs((30, 20), fit="squash")))
    off = (found.float() - upright.rot90(-1, (1, 2)).float()).abs()
    assert off.max() <= 1  # rounding of the two passes of resizing, in another order


def test_pixels_and_original_are_read_apart(picture):
    reading = ReadAs(25, draft=True)
    small, original = read_twice(picture, reading)
    assert torch.equal(small, read_image(picture, reading))
    assert torch.equal(original, read_image(picture))


def test_a_cache_of_drafted_pixels_is_another_file(picture, tmp_path):
    from adframe import open_images

    for draft in (False, True):
        pixels, _ = open_images([picture], 25, draft=draft, cache=tmp_path / "cache")
        assert torch.equal(pixels[:], read_images(picture, 25, draft=draft))
    assert len([*(tmp_path / "cache").glob("*.safetensors")]) == 2


def test_a_data_set_reads_and_scores_with_it(picture, tmp_path):
    import adframe

    folder = tmp_path / "data" / "good"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(picture.read_bytes())
    options = {"root": str(tmp_path / "data"), "normal": "good", "size": 25, "fit": "crop"}
    data = adframe.build("dataset", {"name": "image_folder", **options, "draft": True})
    assert data.draft
    expected = read_image(picture, ReadAs(25, draft=True))
    assert torch.equal(data.load(0).train.pixels[:][0], expected)
    config = adframe.load_config("quickstart", [
        f"dataset={{name: image_folder, root: {options['root']}, normal: good}}",
        "dataset.size=25", "dataset.draft=true",
        "backbone.width=0.0625", "decision=null",
    ])  # fmt: skip
    from adframe.detector.detector import Detector
    from adframe.engine.build import assemble

    facts = {"image_size": [3, 25, 25], "classes": ["inlier"]}
    detector = Detector(config, assemble(config, image_size=(25, 25)), facts)
    assert detector.reading == ReadAs((25, 25), None, "squash", draft=True)
