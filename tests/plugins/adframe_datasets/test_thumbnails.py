"""CIFAR-10, CIFAR-100 and SVHN from files in the official formats, written small."""

import hashlib
import pickle

import numpy as np
import pytest
from scipy.io import savemat
from torchvision.datasets import CIFAR10 as OFFICIAL
from torchvision.datasets import CIFAR100 as OFFICIAL_100
from torchvision.datasets import SVHN as OFFICIAL_SVHN

from adframe.errors import UserError
from adframe_datasets.thumbnails import CIFAR10, CIFAR100, SVHN

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


def test_as_an_outlier_set_all_ten_classes_count(root):
    outliers = CIFAR10(root, normal="automobile", test_limit=3).outliers(seed=0)
    assert len(outliers) == 30
    assert outliers.outlier.all()
    assert len(CIFAR10(root, normal="automobile").outliers(seed=0)) == 100


def test_limits_count_per_class_and_labels_are_kept(root):
    splits = CIFAR10(root, normal=["ship", "cat"], labelled=True, train_limit=3, test_limit=4).load(
        seed=0
    )
    assert splits.train.label.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(splits.test) == 40
    assert list(splits.classes) == ["ship", "cat"]


def test_a_wrong_class_name_lists_the_right_ones(root):
    with pytest.raises(UserError, match="no class 'car' in CIFAR-10; classes: airplane, auto"):
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


# --- CIFAR-100 ----------------------------------------------------------------------------------

FINE = ["apple", "bear", "cattle", "dolphin", "elephant"]
COARSE = ["aquatic_mammals", "fruit", "large_animals"]
COARSE_OF = [1, 2, 2, 0, 2]


@pytest.fixture
def hundred(tmp_path, monkeypatch):
    """Fifty training and twenty test images of five fine classes in three coarse ones."""
    folder = tmp_path / OFFICIAL_100.base_folder
    folder.mkdir()

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def split(name, count):
        fine = [i % 5 for i in range(count)]
        data = np.random.default_rng(count).integers(0, 256, (count, 3072), dtype=np.uint8)
        coarse = [COARSE_OF[label] for label in fine]
        return write(name, {"data": data, "fine_labels": fine, "coarse_labels": coarse})

    monkeypatch.setattr(OFFICIAL_100, "train_list", [split("train", 50)])
    monkeypatch.setattr(OFFICIAL_100, "test_list", [split("test", 20)])
    name, digest = write("meta", {"fine_label_names": FINE, "coarse_label_names": COARSE})
    meta = {"filename": name, "key": "fine_label_names", "md5": digest}
    monkeypatch.setattr(OFFICIAL_100, "meta", meta)
    return tmp_path


def test_cifar100_counts_super_classes(hundred):
    splits = CIFAR100(hundred, normal=["large_animals", "fruit"], labelled=True).load(seed=0)
    assert list(splits.classes) == ["large_animals", "fruit"]
    assert splits.train.label.tolist() == [0] * 30 + [1] * 10
    assert int(splits.test.outlier.sum()) == 4
    official = OFFICIAL_100(str(hundred), train=True)
    for pixels, name, label in zip(
        splits.train.pixels, splits.train.names, splits.train.label.tolist(), strict=True
    ):
        row = int(name.removeprefix("train/"))
        coarse = COARSE[COARSE_OF[official.targets[row]]]
        assert splits.classes[label] == coarse
        np.testing.assert_array_equal(pixels.permute(1, 2, 0), official.data[row])


def test_cifar100_counts_fine_classes_where_asked(hundred):
    splits = CIFAR100(hundred, normal="bear", classes="fine").load(seed=0)
    assert len(splits.train) == 10
    assert int(splits.test.outlier.sum()) == 16
    with pytest.raises(UserError, match="no class 'bear' in CIFAR-100; classes: aquatic_mammals"):
        CIFAR100(hundred, normal="bear").load(seed=0)


def test_cifar100_is_the_same_outlier_set_by_either_classes(hundred):
    sets = [CIFAR100(hundred, classes=of).outliers(seed=0) for of in ("coarse", "fine")]
    assert len(sets[0]) == 20
    assert sorted(sets[0].names) == sorted(sets[1].names)


# --- SVHN ---------------------------------------------------------------------------------------


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """Forty training and twenty test digits; the files call a nought ten."""
    lists = {}
    for split, count in {"train": 40, "test": 20}.items():
        data = np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        path = tmp_path / f"{split}_32x32.mat"
        savemat(path, {"X": data, "y": np.array([[i % 10 + 1] for i in range(count)])})
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        lists[split] = ["http://nowhere.invalid", path.name, digest]
    monkeypatch.setattr(OFFICIAL_SVHN, "split_list", lists)
    return tmp_path


def test_svhn_classes_are_digits(digits):
    splits = SVHN(digits, normal="0").load(seed=0)
    assert splits.train.names == [f"train/{row}" for row in (9, 19, 29, 39)]
    assert int(splits.test.outlier.sum()) == 18
    official = OFFICIAL_SVHN(str(digits), split="train")
    np.testing.assert_array_equal(splits.train.pixels, official.data[9::10])


def test_svhn_needs_no_training_file_as_an_outlier_set(digits):
    (digits / "train_32x32.mat").unlink()
    assert len(SVHN(digits, normal="0").outliers(seed=0)) == 20
    with pytest.raises(UserError, match="SVHN: Dataset not found or corrupted; set download: true"):
        SVHN(digits).load(seed=0)
