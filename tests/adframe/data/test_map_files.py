"""Maps as files: what is written is what was scored."""

import io

import numpy as np
from PIL import Image

from adframe.data.map_files import DEEPEST, MapRange, map_paths, map_png, overlay, write_map

SCALE = MapRange(low=0.0, normal=0.5, high=2.0)


def opened(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_map_is_16_bit_grey_on_the_scale_of_the_run():
    values = np.array([[0.0, 1.0, 2.0], [-5.0, 0.5, 9.0]])
    found = opened(map_png(values, SCALE))
    assert found.dtype == np.uint16
    expected = np.clip(values / 2, 0, 1) * DEEPEST
    assert np.abs(found - expected).max() <= 0.5


def test_an_overlay_colours_what_is_above_normal_images():
    pixels = np.full((2, 2, 3), 80, dtype=np.uint8)
    found = np.asarray(overlay(pixels, np.array([[0.0, 0.5], [1.0, 2.0]]), SCALE))
    assert (found[0] == 80).all()
    red, green, blue = found[1].astype(int).reshape(2, 3).T
    assert (red > green).all()
    assert (green >= blue).all()
    assert green[0] > green[1]  # from yellow to red


def test_a_flat_range_divides_by_nothing():
    flat = MapRange(1.0, 1.0, 1.0)
    assert opened(map_png(np.ones((2, 2)), flat)).max() == 0
    assert np.asarray(overlay(np.zeros((2, 2, 3), np.uint8), np.ones((2, 2)), flat)).max() == 0


def test_files_of_one_name_get_different_maps(tmp_path):
    files = [tmp_path / name for name in ("a/x.png", "b/x.png", "b/x.jpg", "y.png", "b/x.png")]
    names = map_paths(files, tmp_path / "maps")
    assert len(set(names)) == 5
    assert {name.parent for name in names} == {tmp_path / "maps"}
    assert [names[0].name, names[1].name, names[3].name] == ["x", "b_x", "y"]


def test_both_files_are_written(tmp_path):
    write_map(tmp_path / "x", np.ones((3, 4)), np.zeros((3, 4, 3), np.uint8), SCALE)
    assert {path.name for path in tmp_path.iterdir()} == {"x_map.png", "x_overlay.png"}
    with Image.open(tmp_path / "x_map.png") as image:
        assert image.size == (4, 3)
