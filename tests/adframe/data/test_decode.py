"""Decoding of all kinds of image files to 8-bit RGB, and errors that name the file."""

import errno
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from adframe.data import decode, jpeg
from adframe.data.decode import ImageError, read_image
from adframe.data.find import find_images
from adframe.data.load import open_images
from adframe.data.reading import ReadAs
from adframe.errors import ImageMemoryError


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
    image = read_image(_save(tmp_path / "a.png", wide), ReadAs(10))
    assert image.shape == (3, 10, 10)
    assert (image == 200).all()
    assert read_image(tmp_path / "a.png", ReadAs(5)).shape == (3, 5, 5)


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
    with pytest.raises(ImageError, match=r"gone.png: No such file"):
        read_image(tmp_path / "gone.png")


def test_folders_are_searched_in_order_and_other_files_left_out(tmp_path, rgb):
    (tmp_path / "sub").mkdir()
    for name in ("sub/b.PNG", "a.png"):
        _save(tmp_path / name, rgb)
    (tmp_path / "notes.txt").write_text("no image")
    assert [p.name for p in find_images([tmp_path])] == ["a.png", "b.PNG"]
    assert find_images([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]  # named: it is tried


# --- files made to harm -------------------------------------------------------------------------


def test_what_is_odd_but_whole_is_read(tmp_path, rgb):
    """A wrong extension, one pixel, an animation, a file whose EXIF turns it."""
    Image.fromarray(rgb).save(tmp_path / "really.png", "PNG")
    (tmp_path / "really.png").rename(tmp_path / "wrong.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "wrong.jpg").permute(1, 2, 0), rgb)

    pixel = read_image(_save(tmp_path / "one.png", rgb[:1, :1]))
    assert pixel.flatten().tolist() == rgb[0, 0].tolist()
    assert (read_image(tmp_path / "one.png", ReadAs(4)) == pixel).all()

    frames = [Image.new("RGB", (4, 4), (value, 0, 0)) for value in (200, 100, 0)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "moving.png")[0, 0, 0] == 200


def _png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""
    import struct
    import zlib

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_images_too_large_are_refused_unread(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(_png_header(*size))
    with pytest.raises(ImageError, match=r"^\S*bomb\.png: (unreadable image: \S|\d+x\d+ pixels)"):
        read_image(path, ReadAs(32))


def test_a_large_image_is_refused_without_a_second_warning(tmp_path):
    """As a user sees it, not as pytest does: where warnings are no errors."""
    import warnings

    from adframe.data import decode

    (tmp_path / "large.png").write_bytes(_png_header(10_000, 10_000))
    with warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        with pytest.raises(ImageError, match=r"large\.png: 10000x10000 pixels are too many"):
            read_image(tmp_path / "large.png")
    assert told == []
    assert decode.MAX_PIXELS == Image.MAX_IMAGE_PIXELS


def test_a_decoder_that_fails_anyhow_names_the_file(tmp_path, rgb, monkeypatch):
    from PIL import ImageFile

    path = _save(tmp_path / "a.png", rgb)
    for error in (IndexError("out of\nrange"), ArithmeticError(), KeyError("x")):

        def fail(*args, error=error):
            raise error

        monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
        with pytest.raises(ImageError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: unreadable image: ")
        assert "\n" not in str(caught.value)


def test_only_files_are_searched_out(tmp_path, rgb):
    """A pipe would be waited for without end; a link that leads nowhere is to be named."""
    import os

    _save(tmp_path / "a.png", rgb)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    assert [path.name for path in find_images([tmp_path])] == ["a.png", "link.png"]
    with pytest.raises(ImageError, match=r"link\.png: No such file"):
        read_image(tmp_path / "link.png")


# --- JPEG files, which two libraries decode ------------------------------------------------------


def _by_pillow(path):
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def _plain(path):
    with Image.open(path) as image:
        return jpeg.plain_jpeg(image)


@pytest.mark.parametrize("quality", [10, 75, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_file_has_the_pixels_that_pillow_reads(tmp_path, quality, subsampling, progressive):
    noise = np.random.default_rng(quality)
    coarse = Image.fromarray(noise.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    for width, height in ((32, 32), (33, 17), (1, 1)):
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        rough = (smooth + noise.integers(-20, 21, smooth.shape)).clip(0, 255).astype(np.uint8)
        path, options = tmp_path / "a.jpg", {"subsampling": subsampling, "quality": quality}
        Image.fromarray(rough).save(path, progressive=progressive, **options)
        assert _plain(path) is not None
        assert torch.equal(jpeg.plain_jpeg_file(path, ReadAs()), _by_pillow(path))
        assert torch.equal(read_image(path), _by_pillow(path))


def test_a_jpeg_file_of_another_kind_is_left_to_pillow(tmp_path, rgb):
    image, exif = Image.fromarray(rgb.repeat(3, 0)), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    image.convert("L").save(tmp_path / "grey.jpg")
    image.convert("CMYK").save(tmp_path / "cmyk.jpg")
    image.save(tmp_path / "plain.jpg")
    plain = (tmp_path / "plain.jpg").read_bytes()
    frame = plain.index(b"\xff\xda")  # EXIF may come as late as before the data
    turned = (tmp_path / "turned.jpg").read_bytes()
    start = turned.index(b"\xff\xe1")
    segment = turned[start : start + 2 + int.from_bytes(turned[start + 2 : start + 4], "big")]
    (tmp_path / "late.jpg").write_bytes(plain[:frame] + segment + plain[frame:])
    for name in ("turned", "grey", "cmyk", "late"):
        assert _plain(tmp_path / f"{name}.jpg") is None
        assert jpeg.plain_jpeg_file(tmp_path / f"{name}.jpg", ReadAs()) is None
    assert read_image(tmp_path / "late.jpg").shape == (3, 5, 18)
    assert read_image(tmp_path / "turned.jpg").shape == (3, 5, 18)
    for name in ("grey", "cmyk"):
        path = tmp_path / f"{name}.jpg"
        assert torch.equal(read_image(path), _by_pillow(path))
    for end in range(0, len(plain), 97):
        (tmp_path / "cut.jpg").write_bytes(plain[:end])
        with pytest.raises(ImageError, match="cut.jpg"):
            read_image(tmp_path / "cut.jpg")
    assert _plain(tmp_path / "plain.jpg") is not None
    assert jpeg.plain_jpeg_file(tmp_path / "plain.jpg", ReadAs()) is not None
    assert jpeg.plain_jpeg_file(tmp_path / "plain.jpg", ReadAs(4)) is None  # it is resized


@pytest.mark.filterwarnings("error")
def test_a_jpeg_file_is_read_without_a_word_of_torchvision_and_without_its_decoder(
    tmp_path, rgb, monkeypatch
):
    Image.fromarray(rgb.repeat(4, 0)).save(tmp_path / "a.jpg")
    pixels = read_image(tmp_path / "a.jpg")
    monkeypatch.setattr(jpeg, "_decoder", lambda: None)
    assert _plain(tmp_path / "a.jpg") is None
    assert torch.equal(read_image(tmp_path / "a.jpg"), pixels)


def test_a_torchvision_without_the_decoder_leaves_jpeg_files_to_pillow(monkeypatch):
    monkeypatch.setattr(torch.ops, "image", object())
    assert jpeg._decoder.__wrapped__() is None
    monkeypatch.setattr(torch.ops, "load_library", lambda _: (_ for _ in ()).throw(OSError()))
    assert jpeg._decoder.__wrapped__() is None


def test_a_jpeg_file_is_brought_to_size_like_any_other(tmp_path, rgb):
    Image.fromarray(rgb.repeat(4, 0).repeat(4, 1)).save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg", ReadAs(8)).shape == (3, 8, 8)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(decode.as_pixels(image, ReadAs(8)).permute(1, 2, 0))
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.jpg", ReadAs(8)).permute(1, 2, 0), expected
    )


@pytest.mark.parametrize("size", [(5, 8), (9, 7), (33, 64), (100, 17), (640, 480)])
@pytest.mark.parametrize("side", [1, 7, 16, 33])
def test_the_central_square_is_resized(size, side):
    """The square is cut by hand; its edges may lie half a pixel inside the image."""
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    edge = min(size)
    left, top = (size[0] - edge) / 2, (size[1] - edge) / 2
    box = (left, top, left + edge, top + edge)
    expected = image.resize((side, side), Image.Resampling.BILINEAR, box=box)
    found = decode.as_pixels(image, ReadAs(side)).permute(1, 2, 0)
    np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("size", [(5, 8), (64, 33), (17, 100)])
def test_a_size_of_two_sides_cuts_the_central_part_of_that_shape(size):
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    found = decode.as_pixels(image, ReadAs((8, 12)))
    assert found.shape == (3, 8, 12)
    wide = min(size[0], size[1] * 12 / 8)
    high = wide * 8 / 12
    left, top = (size[0] - wide) / 2, (size[1] - high) / 2
    expected = image.resize(
        (12, 8), Image.Resampling.BILINEAR, box=(left, top, left + wide, top + high)
    )
    assert (
        found.permute(1, 2, 0).int() - torch.from_numpy(np.array(expected)).int()
    ).abs().max() <= 1


@pytest.mark.parametrize("size", [(5, 8), (64, 33), (17, 100)])
@pytest.mark.parametrize("side", [7, (8, 12)])
def test_a_squashed_image_is_stretched_to_the_size(size, side):
    image = _noise(*size)
    high, wide = (side, side) if isinstance(side, int) else side
    found = decode.as_pixels(image, ReadAs(side, fit="squash")).permute(1, 2, 0)
    expected = image.resize((wide, high), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize(
    ("size", "side", "inner", "left", "top"),
    [
        ((64, 32), 16, (16, 8), 0, 4),
        ((32, 64), 16, (8, 16), 4, 0),
        ((100, 30), 15, (15, 4), 0, 5),  # 4.5 rows, rounded to even; 11 are left over
        ((30, 20), (8, 20), (12, 8), 4, 0),
        ((900, 1), 16, (16, 1), 0, 7),
        ((24, 24), 16, (16, 16), 0, 0),
    ],
)
def test_a_padded_image_is_whole_in_the_middle_and_its_edge_goes_on(size, side, inner, left, top):
    image = _noise(*size)
    found = decode.as_pixels(image, ReadAs(side, fit="pad")).permute(1, 2, 0).numpy()
    middle = np.asarray(image.resize(inner, Image.Resampling.BILINEAR))
    assert found.shape[:2] == ((side, side) if isinstance(side, int) else side)
    for y, x in np.ndindex(found.shape[:2]):
        row = min(max(y - top, 0), inner[1] - 1)
        column = min(max(x - left, 0), inner[0] - 1)
        assert (found[y, x] == middle[row, column]).all()


@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "turned.tif"])
def test_the_original_size_is_that_after_the_turn(tmp_path, rgb, name):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(tmp_path / name, exif=exif)
    assert decode.original_size(tmp_path / name) == (5, 6) == read_image(tmp_path / name).shape[1:]
    exif[0x0112] = 3
    Image.fromarray(rgb).save(tmp_path / name, exif=exif)
    assert decode.original_size(tmp_path / name) == (6, 5)
    with pytest.raises(ImageError, match=r"gone.png: No such file"):
        decode.original_size(tmp_path / "gone.png")


def _noise(width, height):
    generator = np.random.default_rng(0)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


# --- which formats, and deep grey ----------------------------------------------------------------


def test_what_would_start_a_program_is_not_opened(tmp_path, monkeypatch):
    """Pillow hands EPS to Ghostscript, whatever the file is called."""
    import subprocess

    def started(*args, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "check_call", started)
    monkeypatch.setattr(subprocess, "Popen", started)
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.eps")
    (tmp_path / "photo.eps").rename(tmp_path / "photo.png")
    with pytest.raises(ImageError, match=r"photo\.png: not an image"):
        read_image(tmp_path / "photo.png")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_in_every_format(tmp_path, kind):
    values = np.array([[0, 257, 25700, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png", kind)
    assert read_image(tmp_path / "a.png")[0].tolist() == [[0, 1, 100, 255]]


def test_depth_scales_values_of_fewer_bits(tmp_path):
    path = _save(tmp_path / "a.tif", np.array([[0, 4095, 2048]], dtype=np.uint16))
    assert read_image(path, ReadAs(depth=12))[0].tolist() == [[0, 255, 128]]
    assert read_image(path)[0].tolist() == [[0, 16, 8]]
    with pytest.raises(ImageError, match=r"values 0\.\.4095 exceed 10 bits \(0\.\.1023\)"):
        read_image(path, ReadAs(depth=10))
    with Image.open(path) as image:
        assert decode.as_pixels(image, ReadAs(depth=12))[0].tolist() == [[0, 255, 128]]


def test_depth_leaves_8_bits_as_they_are(tmp_path, rgb):
    path = _save(tmp_path / "a.png", rgb)
    assert torch.equal(read_image(path, ReadAs(depth=12)), read_image(path))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(np.float32, "floating-point pixels have no fixed range"), (np.int32, "32-bit integers")],
)
def test_values_without_a_range_are_refused_by_name(tmp_path, kind, reason):
    path = _save(tmp_path / "a.tif", np.array([[0, 1, 200]], dtype=kind))
    with pytest.raises(ImageError, match=rf"a\.tif: unreadable image: {reason}"):
        read_image(path)


def test_integers_of_32_bits_are_scaled_with_a_depth(tmp_path):
    path = _save(tmp_path / "a.tif", np.array([[0, 4095]], dtype=np.int32))
    assert read_image(path, ReadAs(depth=12))[0].tolist() == [[0, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_white_is_white_in_every_mode(mode):
    white = Image.new("RGB", (4, 4), "white")
    image = (
        Image.fromarray(np.full((4, 4), 65535, np.uint16))
        if mode == "I;16"
        else white.convert(mode)
    )
    assert image.mode == mode
    assert (decode.as_pixels(image) == 255).all()


def test_warnings_of_pillow_do_not_reach_the_user(tmp_path):
    """In a process of its own, where warnings are shown as for a user."""
    import subprocess

    exif = Image.Exif()
    exif[0x0110] = "x" * 50
    Image.new("RGB", (4, 4)).save(tmp_path / "a.tif", exif=exif)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[:-20])  # cut in the metadata
    code = "import sys, adframe; adframe.read_images(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "a.tif"], capture_output=True)
    assert b"Warning" not in ran.stderr


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError(errno.ENOMEM, "x"), OSError("out of memory error when reading image")],
)
@pytest.mark.parametrize("how", [{}, {"cache": "cache"}, {"workers": 0}])
def test_full_memory_is_no_unreadable_image(tmp_path, monkeypatch, error, how):
    """A run that skips unreadable images ends; it does not go on with fewer."""
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for index, path in enumerate(paths):
        Image.new("RGB", (5, 5), (index, 0, 0)).save(path)

    def fail(image, size, grey):
        if image.getpixel((0, 0)) == (1, 0, 0):
            raise error
        return good(image, size, grey)

    good = decode._as_pixels
    monkeypatch.setattr(decode, "_as_pixels", fail)
    with pytest.raises(ImageMemoryError, match=r"1\.png$"):
        open_images(paths, 4, skip_unreadable=True, **how)


def test_full_memory_in_a_worker_is_the_same_error(tmp_path, monkeypatch):
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path in paths:
        Image.new("RGB", (5, 5)).save(path)
    files, _ = open_images(paths, 4, workers=1)

    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(decode, "_as_pixels", fail)
    with pytest.raises(ImageMemoryError, match=r"0\.png$"):
        list(files.batches([torch.tensor([0, 1])]))
