"""A finished run as a detector of anomalies in images of one's own."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.errors import UserError


@pytest.fixture(scope="module")
def folder(toy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "run"
    adframe.run(adframe.load_config(toy_file), path)
    return path


@pytest.fixture
def written(folder):
    with (folder / "scores.csv").open() as file:
        return {row["path"]: float(row["score"]) for row in csv.DictReader(file)}


def test_files_score_as_they_did_in_the_run(folder, written):
    scores = adframe.load(folder).score(list(written))
    np.testing.assert_allclose(scores, list(written.values()), atol=1e-6)


def test_a_score_does_not_depend_on_company_or_order(folder, written):
    detector = adframe.load(folder)
    paths = list(written)
    together = detector.score(paths)
    backwards = detector.score(paths[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, atol=1e-6)
    for few in (1, 2, 3, 7):  # the difference there is, is rounding: docs/concepts/reliability.md
        apart = [detector.score(paths[at : at + few]) for at in range(0, len(paths), few)]
        np.testing.assert_allclose(np.concatenate(apart), together, atol=1e-6)


def test_arrays_tensors_and_files_score_alike(folder, written):
    detector = adframe.load(folder)
    paths = list(written)[:5]
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    expected = detector.score(paths)
    np.testing.assert_array_equal(detector.score(pixels), expected)
    np.testing.assert_array_equal(detector.score(torch.from_numpy(pixels)), expected)


def test_wrong_pixels_are_refused(folder):
    detector = adframe.load(folder)
    with pytest.raises(UserError, match=r"expected uint8 pixels of shape \(N, 16, 16, 3\)"):
        detector.score(np.zeros((2, 16, 16, 3), dtype=np.float32))
    with pytest.raises(UserError, match=r"not .*uint8 of shape \(2, 3, 16, 16\)"):
        detector.score(np.zeros((2, 3, 16, 16), dtype=np.uint8))


def test_refitting_moves_what_is_normal(folder, shapes):
    detector = adframe.load(folder)
    dark = sorted((shapes / "dark").iterdir())
    before = detector.score(dark)
    after = detector.fit(dark).score(dark)
    np.testing.assert_allclose(after, 0, atol=1e-6)  # each is now its own nearest neighbour
    assert (before > after + 1e-4).all()


def test_what_is_no_finished_run_is_refused(toy_file, tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        adframe.load(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="not finished"):
        adframe.load(tmp_path)


def test_a_damaged_model_is_named(folder, tmp_path):
    for name in ("config.yaml", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"model.safetensors: damaged"):
        adframe.load(tmp_path)


def test_a_model_of_another_config_is_named(folder, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    text = (folder / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("width: 0.0625", "width: 0.125"))
    with pytest.raises(UserError, match="does not fit the network of config.yaml"):
        adframe.load(tmp_path)
