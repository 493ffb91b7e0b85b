"""Data sets in the folders of their archives: differences between them."""

import pytest
from PIL import Image
from torchvision import datasets

from adframe.errors import UserError
from adframe_datasets.layouts import CUB200, Caltech256, ImageNet30, StanfordDogs


@pytest.fixture
def objects(tmp_path):
    """Ten images of each of two kinds of object."""
    for kind in ("001.ak47", "257.clutter"):
        folder = tmp_path / "256_ObjectCategories" / kind
        folder.mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (20, 18), (index, 0, 0)).save(folder / f"{kind[:3]}_{index:04d}.jpg")
    return tmp_path


def test_caltech_holds_out_a_share_by_the_seed(objects):
    data = Caltech256(objects, normal="001.ak47", size=16)
    splits = [data.load(seed) for seed in (0, 0, 1)]
    assert (len(splits[0].train), len(splits[0].test)) == (7, 3 + 10)
    assert int(splits[0].test.outlier.sum()) == 10
    assert not set(splits[0].train.names) & set(splits[0].test.names)
    assert splits[0].train.names == splits[1].train.names
    assert splits[0].train.names != splits[2].train.names


def test_caltech_is_whole_as_an_outlier_set_and_has_no_copies(objects):
    copies = objects / "256_ObjectCategories/001.ak47/greg"
    copies.mkdir()
    Image.new("RGB", (20, 18)).save(copies / "001_0001.jpg")
    (copies.parent / "._001_0001.jpg").write_bytes(b"left by another system")
    assert len(Caltech256(objects, normal="001.ak47", size=16).outliers(seed=0)) == 20
    outliers = Caltech256(objects, without="257.clutter", size=16, test_limit=4).outliers(seed=0)
    assert [name[-13:] for name in outliers.names] == [f"/001_000{i}.jpg" for i in range(4)]


def test_caltech_is_found_where_torchvision_puts_it(objects):
    (objects / "caltech256").mkdir()
    (objects / "256_ObjectCategories").rename(objects / "caltech256/256_ObjectCategories")
    assert len(Caltech256(objects, size=16).outliers(seed=0)) == 20


def test_caltech_that_is_missing_says_how_to_get_it_and_makes_no_folder(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no Caltech-256; expected 256_Obj.*download: true"):
        Caltech256(tmp_path).load(seed=0)
    assert not list(tmp_path.iterdir())

    def offline(self):
        raise OSError("no network")

    monkeypatch.setattr(datasets.Caltech256, "download", offline)
    with pytest.raises(UserError, match="Caltech-256: the download failed: no network$"):
        Caltech256(tmp_path, download=True).load(seed=0)


def test_cub_is_found_inside_and_as_its_folder(published):
    root = published("cub200").root
    for place in (root, root / "CUB_200_2011"):
        assert len(CUB200(place, size=16).outliers(seed=0)) == 4


def test_imagenet30_needs_all_its_classes(published, monkeypatch):
    root = published("imagenet30").root
    monkeypatch.setattr(ImageNet30, "classes", 30)
    with pytest.raises(UserError, match=r"expected 30 classes in one_class_train, not 2$"):
        ImageNet30(root).load(seed=0)


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_a_damaged_list_of_dogs_is_named(published, content):
    root = published("stanford_dogs").root
    (root / "test_list.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"test_list\.mat: unreadable list of files$"):
        StanfordDogs(root).outliers(seed=0)


def test_a_listed_image_that_is_not_there_is_named(published):
    data = published("stanford_dogs")
    (data.root / "Images" / data.classes[1] / "01.jpg").unlink()
    with pytest.raises(UserError, match=r"n02-Dhole/01\.jpg: No such file"):
        StanfordDogs(data.root, size=16).outliers(seed=0)
