"""Outlier sets without classes, in the folders of their archives."""

import pytest
import torch
from PIL import Image

from adframe import build
from adframe.errors import UserError
from adframe_datasets.unlabelled import LSUNFix, LSUNResize, OutlierSet

LAYOUTS = {
    "lsun_resize": ("LSUN_resize/LSUN_resize", "{}.jpg"),
    "imagenet_resize": ("Imagenet_resize/Imagenet_resize", "{}.jpg"),
    "lsun_fix": ("LSUN_fix", "correct_resize_{}.png"),
    "imagenet_fix": ("Imagenet_pil/Imagenet_pil", "correct_resize_{}.png"),
}


@pytest.fixture(autouse=True)
def _ten(monkeypatch):
    monkeypatch.setattr(OutlierSet, "count", 10)


def _write(folder, pattern="{}.png", count=10, side=32):
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (side, side), (20 * index, 0, 0)).save(folder / pattern.format(index))


def test_decoded_images_may_be_kept(tmp_path, monkeypatch):
    _write(tmp_path / "LSUN_fix")
    pixels = LSUNFix(tmp_path).outliers(seed=0).pixels
    kept = LSUNFix(tmp_path, cache=tmp_path / "cache")
    assert torch.equal(kept.outliers(seed=0).pixels, pixels)
    monkeypatch.setattr("adframe.data.ahead.read_image", lambda *_: pytest.fail("it was decoded"))
    assert torch.equal(kept.outliers(seed=0).pixels, pixels)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_published_layout_is_recognised(name, tmp_path):
    folder, pattern = LAYOUTS[name]
    _write(tmp_path / folder, pattern)
    for root in (tmp_path, tmp_path / folder.partition("/")[0]):
        outliers = build("dataset", {"name": name, "root": str(root)}).outliers(seed=0)
        assert outliers.pixels.shape == (10, 3, 32, 32)
        assert outliers.outlier.all()
        reds = outliers.pixels[:, 0].float().mean((1, 2)).div(20).round()
        assert reds.tolist() == list(range(10))
        assert all(name.startswith(str(tmp_path)) for name in outliers.names)


@pytest.mark.parametrize("name", LAYOUTS)
def test_another_layout_is_one_line(name, tmp_path):
    _write(tmp_path / "somewhere")
    data = build("dataset", {"name": name, "root": str(tmp_path / "somewhere")})
    with pytest.raises(UserError, match=r"somewhere: no .*; expected a folder \w+.* of images$"):
        data.outliers(seed=0)


def test_the_limit_spreads_over_the_set(tmp_path):
    _write(tmp_path / "LSUN_fix")
    outliers = LSUNFix(tmp_path, test_limit=3).outliers(seed=0)
    assert [name[-5:] for name in outliers.names] == ["0.png", "3.png", "6.png"]
    assert len(LSUNFix(tmp_path, test_limit=50).outliers(seed=0)) == 10


def test_size_is_brought_to_that_of_the_run(tmp_path):
    _write(tmp_path / "LSUN_fix", side=36)
    assert LSUNFix(tmp_path).outliers(seed=0).pixels.shape[2:] == (32, 32)
    assert LSUNFix(tmp_path, size=16).outliers(seed=0).pixels.shape[2:] == (16, 16)


def test_a_set_that_was_unpacked_in_part_is_refused(tmp_path):
    _write(tmp_path / "LSUN_resize", count=9)
    with pytest.raises(UserError, match="LSUN_resize: 9 of 10 images; incomplete"):
        LSUNResize(tmp_path).outliers(seed=0)


def test_nothing_can_be_trained_on(tmp_path):
    with pytest.raises(UserError, match=r"LSUN \(resize\) has no training images; name it under"):
        LSUNResize(tmp_path).load(seed=0)
