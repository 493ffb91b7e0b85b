"""Tests of all published data sets of photographs, from small official files."""

import pytest
import torch

from adframe import build, read_images
from adframe.errors import UserError

TORCHVISION = ["dtd", "flowers102", "food101", "oxford_pets", "places365"]
UNPACKED = ["cub200", "imagenet30", "stanford_dogs"]
NAMES = [*TORCHVISION, *UNPACKED]
A, B = 0, 1  # the two classes
TRAIN = [(A, True, 0), (A, True, 1), (A, True, 2)]
TEST = [(A, False, 0), (A, False, 1), (B, False, 0), (B, False, 1)]


@pytest.fixture(params=NAMES)
def data(request, published):
    """A data set on disk, and what makes its component: ``make(normal=...)``."""
    data = published(request.param)

    def make(**options):
        table = {"name": request.param, "root": str(data.root), "size": 16, **options}
        return build("dataset", table)

    data.make = make
    return data


def test_one_class_against_the_other(data):
    splits = data.make(normal=data.classes[A]).load(seed=0)
    assert splits.train.pixels.shape == (3, 3, 16, 16)
    assert data.facts(splits.train.pixels) == TRAIN
    assert data.facts(splits.test.pixels) == TEST
    assert splits.test.outlier.tolist() == [False, False, True, True]
    assert splits.train.label.tolist() == [-1] * 3
    assert not splits.train.outlier.any()
    assert list(splits.classes) == ["inlier"]
    assert len({*splits.train.names, *splits.test.names}) == 7


def test_labels_count_the_normal_classes(data):
    order = [data.classes[B], data.classes[A]]
    splits = data.make(normal=order, labelled=True).load(seed=0)
    assert list(splits.classes) == order
    assert splits.train.label.tolist() == [0, 0, 0, 1, 1, 1]
    assert [kind for kind, _, _ in data.facts(splits.train.pixels)] == [B, B, B, A, A, A]
    labels = [int(kind == A) for kind, _, _ in data.facts(splits.test.pixels)]
    assert splits.test.label.tolist() == labels


def test_without_normal_every_class_is(data):
    splits = data.make().load(seed=0)
    assert (len(splits.train), len(splits.test)) == (6, 4)
    assert not splits.test.outlier.any()


def test_limits_take_the_first_of_a_class_and_decode_no_more(data):
    for path in data.training:
        is_image = path.suffix.lower() in (".jpg", ".jpeg")
        if is_image and data.facts(read_images([path]))[0][2] == 2:
            path.write_bytes(b"not an image")
    splits = data.make(train_limit=2, test_limit=1).load(seed=0)
    places = [index for _, _, index in data.facts(splits.train.pixels)]
    assert places == [0, 1, 0, 1]
    assert data.facts(splits.test.pixels) == [(A, False, 0), (B, False, 0)]
    with pytest.raises(UserError, match="not an image"):
        data.make().load(seed=0)


def test_decoded_images_may_be_kept(data, tmp_path, monkeypatch):
    plain = data.make().load(seed=0)
    kept = data.make(cache=str(tmp_path / "cache"))
    kept.load(seed=0)
    monkeypatch.setattr("adframe.data.ahead.read_image", lambda *_: pytest.fail("it was decoded"))
    splits = kept.load(seed=0)
    for one, other in ((plain.train, splits.train), (plain.test, splits.test)):
        assert torch.equal(one.pixels, other.pixels)
        assert one.names == other.names
    assert torch.equal(kept.outliers(seed=0).pixels, plain.test.pixels)
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 2


def test_a_class_may_be_left_out(data):
    splits = data.make(without=data.classes[A]).load(seed=0)
    assert {kind for kind, _, _ in data.facts(splits.test.pixels)} == {B}
    assert {kind for kind, _, _ in data.facts(splits.train.pixels)} == {B}
    assert len(data.make(without=data.classes[A]).outliers(0)) == 2
    with pytest.raises(UserError, match="^normal: no class"):
        data.make(normal=data.classes[A], without=data.classes[A]).load(seed=0)


def test_as_an_outlier_set_it_needs_no_training_files(data):
    for path in data.training:
        path.unlink()
    outliers = data.make(normal=data.classes[A], labelled=True).outliers(seed=0)
    assert data.facts(outliers.pixels) == TEST
    assert outliers.outlier.all()
    assert outliers.label.tolist() == [-1] * 4
    assert len(data.make(test_limit=1).outliers(seed=0)) == 2


def test_a_wrong_class_name_lists_the_right_ones(data):
    with pytest.raises(UserError, match="normal: no class 'car' in .*; classes: ") as caught:
        data.make(normal="car").load(seed=0)
    assert all(name in str(caught.value) for name in data.classes)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_holds_something_else_is_one_line(name, tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/1.jpg").write_bytes(b"")
    with pytest.raises(UserError) as caught:
        build("dataset", {"name": name, "root": str(tmp_path)}).load(seed=0)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: ")
    assert "\n" not in message
    assert ("set download: true to fetch it" if name in TORCHVISION else "; expected ") in message


@pytest.mark.parametrize("root", [".", "deep/data", "kept", "kept/deep"])
@pytest.mark.parametrize("name", TORCHVISION)
def test_a_download_that_fails_is_one_line_and_leaves_nothing(name, root, tmp_path, monkeypatch):
    def offline(*args, **options):
        raise OSError("<urlopen error [Errno -3] Temporary failure in name resolution>")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    (tmp_path / "kept/empty").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    table = {"name": name, "root": str(tmp_path / root), "download": True}
    with pytest.raises(UserError, match="download failed: .*name resolution") as caught:
        build("dataset", table).load(seed=0)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", TORCHVISION)
def test_what_a_broken_download_has_fetched_stays(name, tmp_path, monkeypatch):
    def stops(*args, **options):
        path = tmp_path / "data/half"
        path.mkdir(parents=True)
        (path / "archive.part").write_bytes(b"x")
        raise OSError("Connection reset by peer")

    monkeypatch.setattr("urllib.request.urlopen", stops)
    with pytest.raises(UserError, match="download failed: .*reset"):
        build("dataset", {"name": name, "root": str(tmp_path / "data"), "download": True}).load(0)
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "half", "archive.part"]
