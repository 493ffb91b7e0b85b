"""Many image files as one tensor."""

import numpy as np
import pytest
import torch
from PIL import Image

from adframe.data import ahead
from adframe.data.decode import ImageError
from adframe.data.find import find_images
from adframe.data.load import check_memory, open_images, read_images, readable_images
from adframe.errors import UserError


@pytest.fixture(autouse=True, params=[0, 1 << 30], ids=["threads", "one thread"])
def tiny(request, monkeypatch):
    """Both ways that files are decoded, whatever their size."""
    monkeypatch.setattr(ahead, "TINY", request.param)


def save(path, value, size=(4, 4)):
    """A file of one grey."""
    Image.fromarray(np.full((*size, 3), value, dtype=np.uint8)).save(path)
    return path


def test_many_files_keep_their_order(tmp_path):
    paths = [save(tmp_path / f"{value}.png", value) for value in range(40)]
    assert read_images(paths)[:, 0, 0, 0].tolist() == list(range(40))


def test_of_several_bad_files_one_is_named_and_all_are_counted(tmp_path):
    good = save(tmp_path / "a.png", 1)
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ImageError, match=r"b.png: not an image \(1 more like it\)"):
        read_images([good, tmp_path / "b.png", tmp_path / "c.png"])


def test_differing_sizes_are_refused_without_size(tmp_path):
    paths = [save(tmp_path / "a.png", 1, (6, 5)), save(tmp_path / "b.png", 1, (4, 5))]
    with pytest.raises(UserError, match=r"b.png: 5x4 pixels, but .*a.png has 5x6; set size"):
        read_images(paths)
    assert read_images(paths, size=4).shape == (2, 3, 4, 4)


def test_what_does_not_fit_in_memory_is_said_before_it_is_tried():
    with pytest.raises(UserError, match="GiB are free; .* or a data set's 'cache'"):
        check_memory(10**12, torch.zeros(3, 32, 32, dtype=torch.uint8))


def test_unreadable_images_can_be_left_out_with_a_count(tmp_path, logged):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number in (1, 4):
        save(paths[number], number)
    for number in (0, 2, 3):
        paths[number].write_bytes(b"no image")
    pixels, kept = readable_images(paths)
    logged(r"^skipped unreadable files, 3 of 5: \S*0\.png: not an image \(2 more like it\)$")
    assert kept == [1, 4]
    assert pixels[:, 0, 0, 0].tolist() == [1, 4]
    assert readable_images([paths[1]])[1] == [0]
    with pytest.raises(ImageError, match=r"0\.png: not an image \(1 more like it\)"):
        readable_images([paths[0], paths[2]])
    save(paths[0], 1, (6, 5))
    with pytest.raises(UserError, match=r"1\.png: 4x4 pixels, but \S*0\.png has 5x6; set size"):
        readable_images(paths[:2])


def test_one_path_is_taken_like_a_list_of_one(tmp_path):
    path = save(tmp_path / "a.png", 7)
    expected = read_images([path])
    for one in (path, str(path)):
        assert find_images(one) == [path]
        assert torch.equal(read_images(one), expected)
        assert torch.equal(readable_images(one)[0], expected)
        assert torch.equal(open_images(one)[0], expected)
        assert torch.equal(open_images(one, cache=str(tmp_path / "cache"))[0], expected)
        assert torch.equal(open_images(one, workers=0)[0][:], expected)
    assert find_images(str(tmp_path)) == [path]
    assert torch.equal(read_images(iter([path])), expected)
