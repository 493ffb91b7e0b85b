"""CIFAR-10 from files in the official layout, written small."""

import hashlib
import pickle

import numpy as np
import pytest
from torchvision.datasets import CIFAR10 as OFFICIAL

from adframe.errors import UserError
from adframe_datasets.thumbnails import CIFAR10

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two batches in place of five, ten images of each class in each; digests as torchvision's."""
    folder = tmp_path / OFFICIAL.base_folder
    folder.mkdir()
    generator = np.random.default_rng(0)

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch(name):
        data = generator.integers(0, 256, (100, 3072), dtype=np.uint8)
        return write(name, {"data": data, "labels": [i % 10 for i in range(100)]})

    monkeypatch.setattr(OFFICIAL, "train_list", [batch("data_batch_1"), batch("data_batch_2")])
    monkeypatch.setattr(OFFICIAL, "test_list", [batch("test_batch")])
    name, digest = write("batches.meta", {"label_names": CLASSES})
    meta = {"filename": name, "key": "label_names", "md5": digest}
    monkeypatch.setattr(OFFICIAL, "meta", meta)
    return tmp_path


def test_one_class_against_the_other_nine(root):
    splits = CIFAR10(root, normal="automobile").load(seed=0)
    assert splits.train.pixels.shape == (20, 3, 32, 32)
    assert len(splits.test) == 100
    assert int(splits.test.outlier.sum()) == 90
    official = OFFICIAL(str(root), train=True)
    for pixels, name in zip(splits.train.pixels, splits.train.names, strict=True):
        row = int(name.removeprefix("train/"))
        assert official.targets[row] == 1
        np.testing.assert_array_equal(pixels.permute(1, 2, 0), official.data[row])


def test_limits_count_per_class_and_labels_are_kept(root):
    splits = CIFAR10(root, normal=["ship", "cat"], labelled=True, train_limit=3, test_limit=4).load(
        seed=0
    )
    assert splits.train.label.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(splits.test) == 40
    assert list(splits.classes) == ["ship", "cat"]


def test_a_wrong_class_name_lists_the_right_ones(root):
    with pytest.raises(UserError, match="no class 'car' in CIFAR-10; there is: airplane, auto"):
        CIFAR10(root, normal="car").load(seed=0)


def test_missing_files_say_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match="not found or corrupted.*set download: true"):
        CIFAR10(tmp_path).load(seed=0)


def test_damaged_files_are_not_read(root):
    path = root / OFFICIAL.base_folder / "data_batch_2"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="not found or corrupted"):
        CIFAR10(root).load(seed=0)


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    def offline(self):
        raise OSError("<urlopen error [Errno -3] Temporary failure in name resolution>")

    monkeypatch.setattr(OFFICIAL, "download", offline)
    with pytest.raises(UserError, match="the download failed: .*name resolution") as caught:
        CIFAR10(tmp_path, download=True).load(seed=0)
    assert "\n" not in str(caught.value)
