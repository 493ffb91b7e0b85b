"""Every kind of image file becomes 8-bit RGB in the documented way, or is named."""

import numpy as np
import pytest
import torch
from PIL import Image

from adframe.errors import UserError
from adframe.images import ImageError, check_memory, find_images, read_image, read_images


def _save(path, array, mode=None, **options):
    Image.fromarray(array, mode).save(path, **options) if mode else Image.fromarray(array).save(
        path, **options
    )
    return path


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def test_rgb_is_read_as_it_is(tmp_path, rgb):
    image = read_image(_save(tmp_path / "a.png", rgb))
    assert image.dtype == torch.uint8
    np.testing.assert_array_equal(image.permute(1, 2, 0), rgb)


def test_grey_is_repeated(tmp_path, rgb):
    image = read_image(_save(tmp_path / "a.png", rgb[:, :, 0]))
    for channel in image:
        np.testing.assert_array_equal(channel, rgb[:, :, 0])


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 25700, 65535]], dtype=np.uint16)
    image = read_image(_save(tmp_path / "a.png", values))
    np.testing.assert_array_equal(image[0], [[0, 1, 100, 255]])


def test_transparency_is_laid_upon_white(tmp_path, rgb):
    alpha = np.zeros((6, 5, 1), dtype=np.uint8)
    alpha[:3] = 255
    image = read_image(_save(tmp_path / "a.png", np.concatenate([rgb, alpha], 2)))
    np.testing.assert_array_equal(image[:, :3].permute(1, 2, 0), rgb[:3])
    assert (image[:, 3:] == 255).all()


def test_cmyk_and_palettes_are_converted(tmp_path):
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "a.tif")
    red.convert("P").save(tmp_path / "b.png")
    for name in ("a.tif", "b.png"):
        assert read_image(tmp_path / name)[:, 0, 0].tolist() == [255, 0, 0]


def test_exif_orientation_is_applied(tmp_path, rgb):
    image = Image.fromarray(rgb)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png").permute(1, 2, 0), np.rot90(rgb, k=-1)
    )


def test_size_cuts_the_centre_square(tmp_path):
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 200
    image = read_image(_save(tmp_path / "a.png", wide), size=10)
    assert image.shape == (3, 10, 10)
    assert (image == 200).all()
    assert read_image(tmp_path / "a.png", size=5).shape == (3, 5, 5)


def test_unreadable_files_are_named(tmp_path, rgb):
    whole = _save(tmp_path / "whole.png", rgb).read_bytes()
    for name, content in {
        "empty.png": b"",
        "cut.png": whole[: len(whole) // 2],
        "text.jpg": b"this is no image",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(ImageError, match=r"gone.png: unreadable image: No such file"):
        read_image(tmp_path / "gone.png")


def test_many_files_keep_their_order(tmp_path):
    paths = [
        _save(tmp_path / f"{value}.png", np.full((4, 4, 3), value, dtype=np.uint8))
        for value in range(20)
    ]
    assert read_images(paths)[:, 0, 0, 0].tolist() == list(range(20))


def test_of_several_bad_files_one_is_named_and_all_are_counted(tmp_path, rgb):
    good = _save(tmp_path / "a.png", rgb)
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ImageError, match=r"b.png: not an image \(1 more like it\)"):
        read_images([good, tmp_path / "b.png", tmp_path / "c.png"])


def test_differing_sizes_are_refused_without_size(tmp_path, rgb):
    paths = [_save(tmp_path / "a.png", rgb), _save(tmp_path / "b.png", rgb[:4])]
    with pytest.raises(UserError, match=r"b.png: 5x4 pixels, but .*a.png has 5x6; set size"):
        read_images(paths)
    assert read_images(paths, size=4).shape == (2, 3, 4, 4)


def test_what_does_not_fit_in_memory_is_said_before_it_is_tried():
    with pytest.raises(UserError, match="GiB"):
        check_memory(10**12, torch.zeros(3, 32, 32, dtype=torch.uint8))


def test_folders_are_searched_in_order_and_other_files_left_out(tmp_path, rgb):
    (tmp_path / "sub").mkdir()
    for name in ("sub/b.PNG", "a.png"):
        _save(tmp_path / name, rgb)
    (tmp_path / "notes.txt").write_text("no image")
    assert [p.name for p in find_images([tmp_path])] == ["a.png", "b.PNG"]
    assert find_images([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]  # named: it is tried
