"""Masks of defects: brought to size as their images, read when asked for, checked at the start."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.errors import UserError
from adframe.interfaces import Images


@pytest.fixture
def pair(tmp_path):
    """``pair(values)``: an image and a mask with these values, as two files."""

    def write(values, name="a", mode=None, size=None, suffix=".png"):
        values = np.asarray(values, np.uint8)
        image, mask = tmp_path / f"{name}.png", tmp_path / f"{name}_mask{suffix}"
        Image.new("RGB", size or values.shape[1::-1]).save(image)
        made = Image.fromarray(values)
        (made.convert(mode) if mode else made).save(mask)
        return image, mask

    return write


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("size", [(24, 24), (24, 72), (72, 24), (31, 50)])
def test_a_mask_lies_where_its_defect_is_seen(pair, tmp_path, fit, size):
    """The image is white where the mask is, so that both must show the same."""
    values = np.zeros(size, np.uint8)
    values[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] * 2 // 3] = 255
    image, mask = pair(values)
    Image.fromarray(values).convert("RGB").save(image)
    (found,) = adframe.open_masks([mask], [image], 12, fit=fit)
    assert found.dtype == torch.bool
    assert found.shape == (12, 12)
    pixels = adframe.read_images(image, 12, fit=fit)[0, 0]
    sure = (pixels < 64) | (pixels > 192)
    assert sure.sum() > 72
    assert torch.equal(found[sure], pixels[sure] > 128)


@pytest.mark.parametrize("value", [1, 2, 255])
@pytest.mark.parametrize("mode", ["1", "L", "P", "I", "I;16", "RGB", "RGBA", "LA"])
def test_every_value_but_0_is_a_defect(tmp_path, pair, value, mode):
    where = np.zeros((6, 5), bool)
    where[2:4, 1] = True
    image, mask = pair(where * 255, suffix=".tif" if mode == "I" else ".png")
    if mode == "1":
        made = Image.fromarray(where)
    elif mode == "P":
        made = Image.fromarray((where * value).astype(np.uint8), "P")
        made.putpalette([9, 9, 9] * 256)
    elif mode in ("I", "I;16"):
        made = Image.fromarray((where * value).astype(np.int32 if mode == "I" else np.uint16))
    else:
        made = Image.fromarray((where * value).astype(np.uint8)).convert(mode)
    made.save(mask)
    (found,) = adframe.open_masks([mask], [image])
    np.testing.assert_array_equal(found, where)


def test_an_image_without_a_defect_needs_no_file(pair):
    image, _ = pair(np.ones((6, 9)))
    clean, unknown = adframe.open_masks([False, None], [image, image], (4, 5))
    assert unknown is None
    assert clean.shape == (4, 5)
    assert not clean.any()
    assert adframe.open_masks([False], [image])[0].shape == (6, 9)


def test_a_mask_belongs_to_the_image_as_it_is_turned(pair):
    values = np.zeros((6, 9))
    values[1, 2] = 1
    image, mask = pair(values)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 9)).save(image, exif=exif)
    np.testing.assert_array_equal(adframe.open_masks([mask], [image])[0], values != 0)


def test_a_mask_that_cannot_be_right_is_one_line(pair, tmp_path):
    image, mask = pair(np.ones((6, 9)), size=(9, 7))
    said = f"{mask}: a mask of 9x6 pixels; its image {image} has 9x7"
    with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
        adframe.open_masks([mask], [image], 4)
    with pytest.raises(UserError, match=r"^\S*gone.png: No such file or directory$"):
        adframe.open_masks([tmp_path / "gone.png"], [image], 4)
    mask.write_bytes(b"no mask")
    with pytest.raises(UserError, match=r"a_mask.png: not an image$"):
        adframe.open_masks([mask], [image], 4)


def test_an_empty_mask_says_that_nothing_is_known(pair, logged):
    image, mask = pair(np.ones((6, 9)))
    other, empty = pair(np.zeros((6, 9)), "b")
    masks = adframe.open_masks([mask, False, empty], [image, image, other], 4)
    logged(r"^1 of 2 masks are empty, such as \S*b_mask.png; where these defects are is unknown$")
    assert masks[2] is None
    assert (masks.files, masks.outside) == (1, 0)


def test_defects_outside_of_a_crop_are_counted(pair):
    left, middle = np.zeros((8, 24)), np.zeros((8, 24))
    left[3, :8], middle[3, :9] = 1, 1
    images, masks = zip(pair(left, "left"), pair(middle, "middle"), strict=True)
    for fit, outside in (("crop", 1), ("squash", 0), ("pad", 0)):
        assert adframe.open_masks(masks, images, 8, fit=fit).outside == outside
    assert adframe.open_masks(masks, images).outside == 0


def test_masks_are_read_when_they_are_asked_for(pair, monkeypatch):
    pairs = [pair(np.eye(6) * (index + 1), str(index)) for index in range(4)]
    images, files = zip(*pairs, strict=True)
    masks = adframe.open_masks(files, images)
    asked = []
    read = adframe.data.masks._marked
    monkeypatch.setattr("adframe.data.masks._marked", lambda path: asked.append(path) or read(path))
    assert len(masks) == 4
    some = masks[1:3]
    assert not asked
    assert torch.equal(some[1], torch.eye(6).bool())
    assert asked == [files[2]]
    with pytest.raises(IndexError):
        masks[4]


def test_a_subset_of_images_keeps_what_belongs_to_each():
    pixels = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    masks = [torch.full((2, 2), bool(row % 2)) for row in range(3)] + [None]
    label, outlier = torch.arange(4), torch.tensor([False, True, True, False])
    whole = Images(pixels, label, outlier, list("abcd"), list("wxyz"), masks)
    some = whole.subset(torch.tensor([3, 1, 2])).subset(torch.tensor([0, 1]))
    assert some.pixels[:][:, 0, 0, 0].tolist() == [3, 1] == some.label.tolist()
    assert some.outlier.tolist() == [False, True]
    assert (some.names, some.of) == (["d", "b"], ["z", "x"])
    assert [mask if mask is None else mask.all().item() for mask in some.masks] == [None, True]
    assert torch.equal(whole.subset(torch.arange(4)).pixels[:], pixels)
    plain = Images(pixels, label, outlier, list("abcd")).subset(torch.tensor([1]))
    assert (plain.of, plain.masks) == ((), ())
