"""Detectors on the Hub, against a folder that stands in for it."""

import shutil
import sys

import numpy as np
import pytest
import torch

import adframe
from adframe.config.model import load_config
from adframe.errors import UserError

hub = pytest.importorskip("huggingface_hub", reason="needs it: pip install 'adframe[hub]'")


@pytest.fixture(scope="module")
def detector(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("hub") / "run"
    adframe.run(load_config(toy_file, ["train.epochs=0", "scorer=knn"]), path)
    return adframe.load(path)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The stand-in: a folder for each repository. It takes the arguments that the library takes."""

    class Api:
        def create_repo(self, repo_id, *, private, exist_ok):
            assert exist_ok
            (tmp_path / repo_id).mkdir(parents=True, exist_ok=True)
            (tmp_path / repo_id / "private").write_text(str(private))

        def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id):
            shutil.copy(path_or_fileobj, tmp_path / repo_id / path_in_repo)

    def download(repo_id, filename, *, revision=None):
        return str(shutil.copy(tmp_path / repo_id / filename, tmp_path / "downloaded"))

    monkeypatch.setattr(hub, "HfApi", Api)
    monkeypatch.setattr(hub, "hf_hub_download", download)
    return tmp_path


def test_a_detector_that_was_pushed_is_pulled(detector, folder, shapes):
    adframe.push(detector, "me/faces")
    assert (folder / "me/faces/private").read_text() == "True"
    images = sorted((shapes / "dark").iterdir())
    found = adframe.pull("me/faces").score(images)
    np.testing.assert_array_equal(found, detector.score(images))


def test_errors_of_the_library_are_one_line(detector, folder, monkeypatch):
    with pytest.raises(UserError, match="^me/none: cannot be downloaded: FileNotFoundError"):
        adframe.pull("me/none")
    monkeypatch.setattr(hub.HfApi, "create_repo", lambda *_, **__: 1 / 0)
    with pytest.raises(UserError, match="^me/x: cannot be uploaded: ZeroDivisionError") as caught:
        adframe.push(detector, "me/x")
    assert "\n" not in str(caught.value)


def test_a_missing_library_is_named(detector, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: adframe.push(detector, "me/x"), lambda: adframe.pull("me/x")):
        with pytest.raises(UserError, match=r"pip install 'adframe\[hub\]'"):
            call()
