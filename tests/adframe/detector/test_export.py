"""Exported detectors: equal scores in other runtimes, or one line that gives the reason."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.cli.main import main
from adframe.config.model import load_config
from adframe.detector.export import export
from adframe.errors import UserError

onnxruntime = pytest.importorskip("onnxruntime", reason="needs it: pip install 'adframe[export]'")

ROTATED = ["shifts=[rotation]", "objective=[{loss: shift_classification}]", "scorer=true_shift"]
KINDS = {
    "knn": ["scorer=knn", "decision={false_alarms: 0.3, calibration: 0.4}"],
    "true_shift": ROTATED,
    "patchcore": ["scorer={name: patchcore, grid: 4, coreset: 0.5, around: 1}"],
}


@pytest.fixture(scope="module")
def load(toy_file, tmp_path_factory):
    """``load(kind)``: the detector of an untrained network, made once."""
    torch.set_num_threads(1)
    made = {}

    def load(kind, settings=()):
        if kind not in made:
            path = tmp_path_factory.mktemp("export") / "run"
            given = ["train.epochs=0", *KINDS.get(kind, ()), *settings]
            adframe.run(load_config(toy_file, given), path)
            made[kind] = path
        return adframe.load(made[kind])

    load.folders = made
    return load


@pytest.fixture(scope="module")
def images(shapes):
    return sorted(shapes.glob("[dr]*/*.png"))  # no inliers: some are as far as the threshold


def pixels_of(images):
    return np.stack([np.asarray(Image.open(image)) for image in images]).transpose(0, 3, 1, 2)


def run_onnx(file, given):
    session = onnxruntime.InferenceSession(str(file))
    names = [output.name for output in session.get_outputs()]
    facts = json.loads(session.get_modelmeta().custom_metadata_map["adframe"])
    return dict(zip(names, session.run(None, {"images": given}), strict=True)), facts


def run_torch(file, given):
    extra = {"adframe.json": ""}
    program = torch.export.load(file, extra_files=extra)
    facts = json.loads(extra["adframe.json"])
    found = program.module()(torch.from_numpy(given.copy()))
    return dict(zip(facts["outputs"], (each.numpy() for each in found), strict=True)), facts


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("to", "run"), [("onnx", run_onnx), ("torch", run_torch)])
def test_the_file_scores_as_the_detector_does(kind, to, run, load, images, tmp_path):
    detector = load(kind)
    parity = export(detector, tmp_path / "x", to, images)
    assert (parity.images, parity.disagreements) == (16, 0 if kind == "knn" else None)
    assert parity.difference < 1e-4
    for some in (images[:1], images[5:12]):
        outputs, facts = run(tmp_path / "x", pixels_of(some))
        np.testing.assert_allclose(outputs["scores"], detector.score(some), atol=1e-4)
    assert facts["scorer"] == kind
    assert facts["input"]["shape"] == ["batch", 3, 16, 16]
    if kind == "knn":
        np.testing.assert_array_equal(outputs["anomalous"], detector.decide(some))
        assert np.isfinite(facts["threshold"])
    if kind == "patchcore":
        maps = [found.map for _, found in detector.explain_files(some)]
        np.testing.assert_allclose(outputs["maps"], maps, atol=1e-4)


@pytest.mark.slow
def test_the_command_prints_how_scores_compare(load, shapes, images, tmp_path, capsys):
    detector = load("knn")
    file = tmp_path / "x.onnx"
    arguments = ["export", str(load.folders["knn"]), "--pixels", "float32", "--out", str(file)]
    assert main(arguments) == 0
    assert "scores differ by at most" in capsys.readouterr().out
    outputs, _ = run_onnx(file, pixels_of(images).astype(np.float32) / 255)
    np.testing.assert_allclose(outputs["scores"], detector.score(images), atol=1e-4)


def test_what_cannot_be_exported_is_refused_with_the_reason(load, images, tmp_path, monkeypatch):
    detector = load("random", ["scorer={name: nearest_cosine, augmentation: simclr}"])
    windows = load("dense", ["scorer={name: dense, patch: 8, stride: 8}"])
    regions = load("regions", ["scorer={name: patchcore, grid: 4, regions: 2, around: 1}"])
    for given, text in [
        (detector, "draws random views by augmentation 'simclr'"),
        (windows, "windows"),
        (regions, "gives no module"),
    ]:
        with pytest.raises(UserError, match=text) as caught:
            export(given, tmp_path / "x", images=images)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="at least 2 images"):
        export(load("knn"), tmp_path / "x", images=images[:1])
    knn = load("knn")

    def score(features):
        wanted = features["features"].flatten(1)
        return wanted.mean(1) if wanted.sum() > 0 else wanted.sum(1)

    monkeypatch.setattr(knn.scorers[0], "score", score)
    with pytest.raises(UserError, match="cannot be exported: ") as caught:
        export(knn, tmp_path / "x", "torch", images)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_file_with_other_scores_is_not_written(load, images, tmp_path, monkeypatch):
    knn = load("knn")
    other = torch.nn.Module()
    other.forward = lambda features: features["features"].flatten(1).mean(1) + 1
    monkeypatch.setattr(knn.scorers[0], "module", lambda: other)
    with pytest.raises(UserError, match=r"scores differ by up to .*; nothing is written"):
        export(knn, tmp_path / "x", "torch", images)
    assert not (tmp_path / "x").exists()
