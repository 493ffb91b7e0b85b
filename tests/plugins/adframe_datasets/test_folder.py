"""Class folders as a data set, and errors in such folders."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adframe import read_images
from adframe.errors import UserError
from adframe_datasets.folder import ImageFolder


def test_one_class_holds_out_some_of_it_and_all_of_the_rest(shapes):
    splits = ImageFolder(shapes, normal="left").load(seed=0)
    assert len(splits.train) == 8  # of twelve, 30 % (rounded) held out
    assert len(splits.test) == 4 + 16
    assert not splits.train.outlier.any()
    assert int(splits.test.outlier.sum()) == 16
    assert (splits.train.label == -1).all()
    assert list(splits.classes) == ["inlier"]
    assert not set(splits.train.names) & set(splits.test.names)


def test_pixels_belong_to_their_names_and_truth(shapes):
    test = ImageFolder(shapes, normal="left").load(seed=0).test
    for pixels, name, outlier in zip(test.pixels, test.names, test.outlier, strict=True):
        np.testing.assert_array_equal(pixels.permute(1, 2, 0), np.asarray(Image.open(name)))
        assert bool(outlier) == (Path(name).parent.name != "left")


def test_the_split_is_the_seeds(shapes):
    names = [ImageFolder(shapes, normal="left").load(seed).train.names for seed in (0, 0, 1)]
    assert names[0] == names[1]
    assert names[0] != names[2]


def test_labels_count_the_normal_classes(shapes):
    splits = ImageFolder(shapes, normal=["right", "left"], labelled=True).load(seed=0)
    assert list(splits.classes) == ["right", "left"]
    for images in (splits.train, splits.test):
        for name, label in zip(images.names, images.label.tolist(), strict=True):
            assert label == {"right": 0, "left": 1, "dark": -1}[Path(name).parent.name]


def test_without_normal_every_class_is(shapes):
    splits = ImageFolder(shapes).load(seed=0)
    assert not splits.test.outlier.any()
    assert len(splits.train) + len(splits.test) == 28


def test_a_test_root_and_limits(shapes):
    splits = ImageFolder(shapes, shapes, normal="left", train_limit=5, test_limit=2).load(seed=0)
    assert [Path(name).name for name in splits.train.names] == [f"{i:02d}.png" for i in range(5)]
    assert len(splits.test) == 6


def test_as_an_outlier_set_it_gives_all_there_is(shapes):
    for options in ({}, {"normal": "left"}, {"test_root": shapes}):
        outliers = ImageFolder(shapes, **options).outliers(seed=0)
        assert len(outliers) == 28
        assert outliers.outlier.all()
    assert len(ImageFolder(shapes, without="dark", test_limit=3).outliers(seed=0)) == 6


def test_an_outlier_set_needs_no_class_folders_and_no_training_folder(shapes):
    outliers = ImageFolder(Path("nowhere"), shapes / "left").outliers(seed=0)
    assert [Path(name).name for name in outliers.names] == [f"{i:02d}.png" for i in range(12)]
    assert len(ImageFolder(shapes / "left", test_limit=5).outliers(seed=0)) == 5


def test_an_outlier_set_of_nothing_is_named(tmp_path):
    with pytest.raises(UserError, match="no images in this folder"):
        ImageFolder(tmp_path).outliers(seed=0)
    with pytest.raises(UserError, match="gone: no such folder"):
        ImageFolder(tmp_path / "gone").outliers(seed=0)


def test_a_class_may_be_left_out_of_training_and_test(shapes):
    splits = ImageFolder(shapes, shapes, without=["dark"]).load(seed=0)
    assert (len(splits.train), len(splits.test)) == (20, 20)
    with pytest.raises(UserError, match="without: no class 'bright' in .*classes: dark, left"):
        ImageFolder(shapes, without="bright").load(seed=0)


@pytest.fixture
def folder(tmp_path):
    """Two classes of two images, to be broken."""
    for name in ("ok", "odd"):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.new("RGB", (16, 16), (index, 2, 3)).save(tmp_path / name / f"{index}.png")
    return tmp_path


def _refused(folder, pattern, **options):
    with pytest.raises(UserError, match=pattern) as caught:
        ImageFolder(folder, **{"normal": "ok", **options}).load(seed=0)
    assert "\n" not in str(caught.value)


def test_missing_folders_are_named(folder):
    _refused(folder / "gone", "gone: no such folder")
    _refused(folder, "gone: no such folder", test_root=folder / "gone")
    (folder / "hollow").mkdir()
    _refused(folder / "hollow", "hollow: holds no class folders")


def test_a_folder_of_images_alone_is_one_class(folder):
    splits = ImageFolder(folder / "ok").load(seed=0)
    assert len(splits.train) + len(splits.test) == len(list((folder / "ok").iterdir()))
    assert set(splits.test.of) == {"ok"}
    assert not splits.test.outlier.any()


def test_an_empty_class_is_named(folder):
    (folder / "empty").mkdir()
    _refused(folder, "empty: no images in this class folder")


@pytest.mark.parametrize("without", [["empty", "other"]])
def test_an_empty_class_may_be_excluded(folder, without):
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    for options in ({}, {"test_root": folder}):
        splits = ImageFolder(folder, normal="ok", without=without, **options).load(seed=0)
        assert "empty" not in {*splits.train.of, *splits.test.of}
        assert len(splits.train)


def test_one_image_cannot_be_split(folder):
    (folder / "ok/1.png").unlink()
    _refused(folder, "ok: one image cannot be split")


def test_a_wrong_class_name_lists_the_right_ones(folder):
    _refused(folder, "no class 'okay' in .*classes: odd, ok", normal="okay")


def test_a_test_root_needs_the_normal_class(folder, shapes):
    _refused(folder, "no folder of the normal class 'ok'", test_root=shapes)


def test_an_unreadable_image_is_named(folder):
    (folder / "odd/1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    _refused(folder, r"odd/1.png: ")


def test_unreadable_images_are_left_out_on_request(folder, caplog):
    Image.new("RGB", (16, 16), (9, 2, 3)).save(folder / "ok/2.png")
    for name in ("ok/0.png", "odd/1.png"):
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    splits = ImageFolder(folder, folder, normal="ok", skip_unreadable=True).load(seed=0)
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert re.search(r"skipped unreadable files, [12] of \d: \S*(ok/0|odd/1)\.png: ", message)
    assert [Path(name).name for name in splits.train.names] == ["1.png", "2.png"]
    assert splits.train.pixels[:, 0, 0, 0].tolist() == [1, 9]
    kept = ["odd/0.png", "ok/1.png", "ok/2.png"]
    assert splits.test.names == [str(folder / name) for name in kept]
    assert splits.test.outlier.tolist() == [True, False, False]


def test_what_is_left_out_is_left_out_of_the_cache_too(folder, tmp_path, caplog):
    Image.new("RGB", (16, 16), (9, 2, 3)).save(folder / "ok/2.png")
    (folder / "ok/0.png").write_bytes(b"no image")
    options = {"normal": "ok", "skip_unreadable": True, "cache": tmp_path / ".cache"}
    for _ in ("made", "mapped"):
        caplog.clear()
        train = ImageFolder(folder, folder, **options).load(seed=0).train
        assert re.search(r"unreadable files, 1 of \d: \S*ok/0\.png: not an image", caplog.text)
        assert [Path(name).name for name in train.names] == ["1.png", "2.png"]
        assert train.pixels[:, 0, 0, 0].tolist() == [1, 9]
    with pytest.raises(UserError, match=r"ok/0\.png: not an image"):
        ImageFolder(folder, folder, normal="ok", cache=tmp_path / ".cache").load(seed=0)


def test_images_of_several_sizes_need_size(folder, shapes):
    Image.new("RGB", (20, 16)).save(folder / "ok/2.png")
    _refused(folder, r"set size", test_share=0.3)
    splits = ImageFolder(folder, normal="ok", size=16).load(seed=0)
    assert splits.train.pixels.shape[1:] == (3, 16, 16)


def test_grey_rgba_and_16_bit_images_join_the_rgb_ones(folder):
    Image.new("L", (16, 16), 7).save(folder / "ok/2.png")
    Image.new("RGBA", (16, 16), (1, 2, 3, 0)).save(folder / "ok/3.png")
    Image.fromarray(np.full((16, 16), 25700, dtype=np.uint16)).save(folder / "ok/4.png")
    splits = ImageFolder(folder, folder, normal="ok").load(seed=0)
    assert splits.train.pixels.dtype == torch.uint8
    assert splits.train.pixels[2:, :, 0, 0].tolist() == [[7] * 3, [255] * 3, [100] * 3]


def test_hidden_folders_and_images_beside_the_classes_are_not_trained_on(shapes, tmp_path, caplog):
    shapes = Path(shutil.copytree(shapes, tmp_path / "own"))
    before = ImageFolder(shapes, normal="left").load(seed=0).train.names
    image = next((shapes / "left").iterdir()).read_bytes()
    (shapes / "left" / ".ipynb_checkpoints").mkdir()
    for name in ("left/.ipynb_checkpoints/00.png", ".hidden.png", "beside.png"):
        (shapes / name).write_bytes(image)
    caplog.clear()
    assert ImageFolder(shapes, normal="left").load(seed=0).train.names == before
    for line in ("passed over: 1 images in no class folder", "passed over: 2 hidden"):
        assert caplog.text.count(line) == 1


def test_one_depth_holds_for_all_images(tmp_path):
    for name, value in (("good", 4095), ("bad", 2048)):
        (tmp_path / name).mkdir()
        for index in range(3):
            values = np.full((8, 8), value, np.uint16)
            Image.fromarray(values).save(tmp_path / name / f"{index}.png")
    data = ImageFolder(tmp_path, normal="good", depth=12)
    splits = data.load(seed=0)
    assert (splits.train.pixels[:] == 255).all()
    assert (splits.test.pixels[splits.test.outlier] == 128).all()
    assert data.depth == 12


# --- shape of images, and masks ------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path):
    """Good parts and defective ones, twice as wide as high, with a mask for each defect."""
    for place in ("train/good", "test/good", "test/hole", "test/scratch/left"):
        (tmp_path / place).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (24, 12), (index, 2, 3)).save(tmp_path / place / f"{index}.png")
    for name in ("hole/0_mask.png", "hole/1.bmp", "scratch/left/0.png", "scratch/left/1_mask.tif"):
        path = tmp_path / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.zeros((12, 24), np.uint8)
        values[:, 20:] = 255
        Image.fromarray(values).save(path)
    return tmp_path


def _parts(root, **options):
    return ImageFolder(
        root / "train", root / "test", normal="good", masks=root / "masks", **options
    )


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_masks_are_found_beside_their_classes_and_cut_as_the_images(parts, fit):
    test = _parts(parts, size=12, fit=fit).load(seed=0).test
    assert torch.equal(test.pixels[:], read_images(test.names, 12, fit=fit))
    assert [mask.any().item() for mask in test.masks[:2]] == [False, False]
    first = {"crop": 12, "squash": 10, "pad": 10}[fit]
    height = slice(3, 9) if fit == "pad" else slice(None)
    for mask in test.masks[2:]:
        assert mask[height, first:].all()
        assert not mask[:, :first].any()


def test_whole_images_are_seen_by_default_and_training_has_no_masks(parts):
    splits = _parts(parts, size=12).load(seed=0)
    assert len(splits.test.masks) == 6
    assert torch.equal(splits.test.pixels, read_images(splits.test.names, 12, fit="squash"))
    assert splits.train.masks == ()
    assert ImageFolder(parts / "test", normal="good").load(seed=0).test.masks == ()


def test_limits_classes_and_caches_keep_masks_with_their_images(parts):
    Image.fromarray(np.eye(12, 24, dtype=np.uint8)).save(parts / "masks/scratch/left/0.png")
    for options in ({}, {"cache": parts / "cache"}, {"workers": 0}):
        test = _parts(parts, without="hole", test_limit=1, **options).load(seed=0).test
        assert [name[-14:] for name in test.names[1:]] == ["ch/left/0.png".rjust(14, "t")]
        assert [int(mask.sum()) for mask in test.masks] == [0, 12]


def test_an_outlier_set_may_have_masks(parts):
    root = parts / "test/scratch/left"
    outliers = ImageFolder(root, masks=parts / "masks/scratch/left").outliers(seed=0)
    assert [mask.any().item() for mask in outliers.masks] == [True, True]


def test_a_mask_that_is_missing_is_named(parts):
    (parts / "masks/hole/1.bmp").unlink()
    with pytest.raises(UserError) as caught:
        _parts(parts).load(seed=0)
    image = parts / "test/hole/1.png"
    assert str(caught.value) == f"{parts / 'masks/hole/1_mask.png'}: no such mask, of {image}"
    with pytest.raises(UserError, match="gone: no such folder of masks$"):
        ImageFolder(parts / "test", normal="good", masks=parts / "gone").load(seed=0)
