"""Crop, squash and pad, and the way back to the size of the file."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from adframe.data.decode import as_pixels
from adframe.data.reading import ReadAs, undo

FITS = ["crop", "squash", "pad"]
SIZES = [(41, 67), (67, 41), (33, 33), (90, 31)]  # height, width


def _ramp(height, width, slope=None):
    """An image whose brightness rises to the right and down."""
    slope = slope or (120 / height, 120 / width)
    y, x = np.mgrid[:height, :width] + 0.5
    return y * slope[0] + x * slope[1]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [16, 29, (20, 48)])
def test_a_ramp_comes_back_where_it_was(fit, size, side):
    ramp, reading = _ramp(*size), ReadAs(side, fit=fit)
    pixels = as_pixels(Image.fromarray(ramp.round().astype(np.uint8)), reading)
    back = undo(pixels[0].double(), size, reading).numpy()
    assert back.shape == size
    place = reading.place(*size)
    inside = tuple(  # the antialiasing filter is one-sided near an edge
        slice(int(np.ceil(span.start + margin)), int(span.stop - margin))
        for span in place
        for margin in [1.5 * max(1, span.scale)]
    )
    assert back[inside].size
    np.testing.assert_allclose(back[inside], ramp[inside], atol=1.6)  # rounded twice, and resized


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grid", [(24, 24), (6, 6), (3, 4), (1, 1)])
def test_a_squashed_map_is_interpolated_bilinearly(size, grid):
    maps = torch.rand(2, *grid, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]
    found = undo(maps, size, ReadAs(24, fit="squash"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(12, 48), (48, 12)])
def test_the_edges_of_a_padded_map_are_left_out(size):
    maps = torch.rand(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    seen = maps[6:10] if size[0] < size[1] else maps[:, 6:10]
    expected = interpolate(seen[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    found = undo(maps, size, ReadAs(16, fit="pad"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(10, 30), (30, 10)])
def test_parts_that_a_crop_cut_off_have_the_nearest_value(size):
    maps = torch.rand(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = interpolate(maps[None, None], (10, 10), mode="bilinear", align_corners=False)
    padding = (10, 10, 0, 0) if size == (10, 30) else (0, 0, 10, 10)
    expected = torch.nn.functional.pad(whole, padding, mode="replicate")[0, 0]
    found = undo(maps, size, ReadAs(5, fit="crop"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("grid", [(16, 16), (4, 4), (2, 2)])
def test_a_constant_map_stays_constant(fit, grid):
    for size in SIZES:
        found = undo(torch.full(grid, 0.3), size, ReadAs(16, fit=fit))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, torch.full(size, 0.3))


def test_without_a_size_nothing_moves():
    maps = torch.rand(7, 9)
    for fit in FITS:
        assert torch.equal(undo(maps, (7, 9), ReadAs(fit=fit)), maps)
        assert torch.equal(ReadAs(fit=fit).nearest(maps), maps)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [*SIZES, (16, 16), (7, 300)])
@pytest.mark.parametrize("side", [16, (9, 64)])
def test_nearest_takes_one_pixel_of_the_image_as_pillow_does(fit, size, side):
    values = torch.arange(size[0] * size[1]).view(size)
    reading = ReadAs(side, fit=fit)
    place = reading.place(*size)
    image = Image.fromarray(values.numpy().astype(np.int32))
    inner = image.resize(place.filled[::-1], Image.Resampling.NEAREST, box=place.box)
    rows, columns = place
    high, wide = reading.result(*size)
    around = (rows.first, high - rows.last), (columns.first, wide - columns.last)
    expected = np.pad(np.asarray(inner), around, mode="edge")
    np.testing.assert_array_equal(reading.nearest(values), expected)


def test_only_a_crop_loses_pixels():
    assert ReadAs(8).share_seen(100, 200) == 0.5
    assert ReadAs((8, 16)).share_seen(100, 100) == 0.5
    assert ReadAs(8).share_seen(100, 100) == 1
    for fit in ("squash", "pad"):
        assert ReadAs(8, fit=fit).share_seen(100, 200) == 1
