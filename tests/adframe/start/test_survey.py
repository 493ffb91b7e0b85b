"""Sizes, depth, copies and leaks of images are those that were put there."""

import numpy as np
import pytest
from PIL import Image

from adframe.start.layout import layout_of
from adframe.start.survey import SIDE, close_pairs, survey


def picture(seed, noise=0.0):
    """A smooth picture of 48x40 pixels, with noise on it."""
    draw = np.random.default_rng(seed)
    small = Image.fromarray(draw.integers(0, 256, (6, 5), dtype=np.uint8))
    pixels = np.asarray(small.resize((40, 48), Image.Resampling.BICUBIC), dtype=float)
    pixels += np.random.default_rng(99).normal(0, noise, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


@pytest.fixture
def root(tmp_path):
    for folder in ("train/good", "test/good", "test/a\nb"):
        (tmp_path / folder).mkdir(parents=True)
    for seed in range(4):
        picture(seed).save(tmp_path / f"train/good/{seed}.png")
    picture(1).save(tmp_path / "train/good/copy.png")
    picture(2, noise=3).save(tmp_path / "train/good/near.png")
    picture(3, noise=3).save(tmp_path / "test/a\nb/leak.png")
    picture(7).convert("RGB").resize((20, 20)).save(tmp_path / "test/good/7.png")
    return tmp_path


def test_copies_near_copies_and_leaks_are_found(root):
    found = survey(layout_of(root))

    def names(pairs):
        return [tuple(path.name for path in pair) for pair in pairs]

    assert names(found.copies) == [("copy.png", "1.png")]
    assert names(found.near) == [("near.png", "2.png")]
    assert names(found.leaks) == [("leak.png", "3.png")]
    assert found.bits is None


def test_names_are_data_in_the_lines(root):
    lines = list(survey(layout_of(root)).lines())
    assert lines[:2] == ["layout: train and test folders", "train: 6 good"]
    assert lines[2] == r"test: 1 a\nb, 1 good"
    assert lines[3] == "pixels: 20x20 to 40x48, 2 sizes, grey and colour, 8 bits"
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize("noise", [0, 40, 90])
def test_alignment_is_the_mean_correlation_of_two_images(tmp_path, noise, monkeypatch):
    draw = np.random.default_rng(0)
    part = draw.integers(60, 200, (SIDE, SIDE))
    (tmp_path / "good").mkdir()
    for index in range(9):
        pixels = part * (1 - noise / 100) + draw.uniform(0, noise, part.shape)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"good/{index}.png")
    picture(0).save(tmp_path / "odd.png")  # it is not normal
    monkeypatch.setattr("adframe.start.survey.PAIRED", 5)  # every other image
    found = survey(layout_of(tmp_path))
    rows = [one.thumbnail for one in found.seen if one.path.parent.name == "good"][::2]
    expected = np.corrcoef(rows)[np.triu_indices(len(rows), 1)].mean()
    assert found.alignment == pytest.approx(expected, abs=1e-5)
    assert found.aligned == (expected >= 0.2)
    assert any(line.startswith("place: ") for line in found.lines()) == found.aligned


def test_depth_and_unreadable_files_are_reported(tmp_path):
    for index in range(3):
        values = np.full((16, 16), 100 + index, dtype=np.uint16)
        values[0, 0] = 4095
        Image.fromarray(values).save(tmp_path / f"{index}.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    found = survey(layout_of(tmp_path))
    assert found.bits == 12
    assert any(line.startswith("unreadable: 1 images: ") for line in found.lines())
    assert "pixels: 16x16, grey, 12 bits" in list(found.lines())


def test_pairs_are_those_of_a_loop():
    draw = np.random.default_rng(0)
    rows = draw.uniform(0, 255, (40, SIDE**2)).astype(np.float32)
    rows[20:30] = rows[:10] + draw.normal(0, 1.0, (10, SIDE**2))
    rows[30:] = 7.0  # no contrast
    expected = {
        (i, j) for i in range(40) for j in range(i)
        if ((rows[i] - rows[j]) ** 2).mean() < min(2.0, 0.1 * rows[i].std()) ** 2
    }  # fmt: skip
    assert set(close_pairs(list(rows))) == expected == {(i + 20, i) for i in range(10)}
    assert list(close_pairs([])) == []
