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
from adframe.detector.graph import Graph
from adframe.errors import UserError
from adframe.interfaces import ViewSpec

onnxruntime = pytest.importorskip("onnxruntime", reason="needs it: pip install 'adframe[export]'")

ROTATED = ["shifts=[rotation]", "objective=[{loss: shift_classification}]", "scorer=true_shift"]
KINDS = {
    "knn": ["scorer=knn", "decision={false_alarms: 0.3, calibration: 0.4}"],
    "true_shift": ROTATED,
    "random": ["scorer={name: nearest_cosine, augmentation: simclr, views: 2}"],
    "patchcore": ["scorer={name: patchcore, grid: 4, coreset: 0.5, around: 1}"],
    "gaussian_density": ["scorer={name: gaussian_density, ridge: 0.01}"],
    "padim": ["scorer={name: padim, columns: 4, grid: 4}"],
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
@pytest.mark.parametrize(
    ("kind", "to", "run"),
    [
        ("knn", "onnx", run_onnx),
        ("knn", "torch", run_torch),
        ("true_shift", "torch", run_torch),
        ("random", "onnx", run_onnx),
        ("patchcore", "onnx", run_onnx),
        ("padim", "onnx", run_onnx),
        ("gaussian_density", "onnx", run_onnx),
    ],
)
def test_the_file_scores_as_the_detector_does(kind, to, run, load, images, tmp_path):
    detector = load(kind)
    parity = export(detector, tmp_path / "x", to, images)
    assert (parity.images, parity.disagreements) == (16, 0 if kind == "knn" else None)
    assert parity.difference < 1e-4
    for some in (images[:1], images[5:12]):
        outputs, facts = run(tmp_path / "x", pixels_of(some))
        np.testing.assert_allclose(outputs["scores"], detector.score(some), atol=1e-4)
    assert facts["scorer"] == {"random": "nearest_cosine"}.get(kind, kind)
    assert facts["input"]["shape"] == ["batch", 3, 16, 16]
    if kind == "knn":
        np.testing.assert_array_equal(outputs["anomalous"], detector.decide(some))
        assert np.isfinite(facts["threshold"])
    read = adframe.load_export(tmp_path / "x")
    # The file itself brings images of any size to its own.
    large = Image.open(images[0]).resize((40, 21))
    np.testing.assert_allclose(read.score(large), detector.score(large), atol=1e-4)
    if kind == "knn":
        assert read.threshold == detector.threshold
        np.testing.assert_array_equal(read.decide(images), detector.decide(images))
    else:
        with pytest.raises(UserError, match="no threshold"):
            read.decide(images)
    if kind in ("patchcore", "padim"):
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
    windows = load("dense", ["scorer={name: dense, patch: 8, stride: 8}"])
    regions = load("regions", ["scorer={name: patchcore, grid: 4, regions: 2, around: 1}"])
    for given, text in [
        (windows, "windows"),
        (regions, "gives no module"),
    ]:
        with pytest.raises(UserError, match=text) as caught:
            export(given, tmp_path / "x", images=images)
        assert "\n" not in str(caught.value)
        assert "adframe evaluate RUN --set scorer=knn" in str(caught.value)
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


def test_a_scorer_that_computes_with_the_network_is_refused(load, images, tmp_path, monkeypatch):
    knn = load("knn")
    spec = ViewSpec(compute=lambda method, images: {"features": images.flatten(1)})
    monkeypatch.setattr(knn.scorers[0], "view_spec", lambda: spec)
    with pytest.raises(
        UserError, match="knn' of plugin 'scorers' computes with gradients or a search"
    ) as caught:
        export(knn, tmp_path / "x", images=images)
    assert "adframe evaluate RUN --set scorer=knn" in str(caught.value)


@pytest.mark.slow
def test_an_operation_that_onnx_lacks_is_named(load, images, tmp_path, monkeypatch):
    knn = load("knn")

    def score(features):
        rows = features["features"].flatten(1)
        return torch.linalg.solve_triangular(torch.eye(32), rows.T, upper=False)[0]

    monkeypatch.setattr(knn.scorers[0], "score", score)
    with pytest.raises(UserError, match=r"to ONNX: .*aten.linalg_solve_triangular.*--to torch$"):
        export(knn, tmp_path / "x", "onnx", images)


def test_an_augmentation_that_no_graph_holds_is_named(load, images, tmp_path, monkeypatch, capfd):
    random = load("random")

    def branching(self, images, keys, strength=1.0):
        return images.float() / 255 if keys.uniform().sum() > 0 else images.float()

    monkeypatch.setattr(type(random.scorers[0].augmentation), "__call__", branching)
    with pytest.raises(UserError, match=r"random views by augmentation 'simclr' of .*\)") as caught:
        export(random, tmp_path / "x", "torch", images)
    assert capfd.readouterr() == ("", "")
    assert "\n" not in str(caught.value)


def test_the_threshold_is_that_of_the_detector_whatever_its_rule(load, monkeypatch):
    knn = load("knn")
    monkeypatch.setattr(type(knn), "threshold", property(lambda self: 0.25))
    assert Graph(knn).threshold == 0.25


@pytest.mark.parametrize("content", [b"", b"x" * 99, b"PK\x03\x04" + b"x" * 99])
def test_what_is_no_exported_file_is_one_line(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match="no file of adframe export") as caught:
        adframe.load_export(tmp_path / "x")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="No such file"):
        adframe.load_export(tmp_path / "none")


def test_a_file_with_other_scores_is_not_written(load, images, tmp_path, monkeypatch):
    knn = load("knn")
    other = torch.nn.Module()
    other.forward = lambda features: features["features"].flatten(1).mean(1) + 1
    monkeypatch.setattr(knn.scorers[0], "module", lambda: other)
    with pytest.raises(UserError, match=r"scores differ by up to .*; nothing is written"):
        export(knn, tmp_path / "x", "torch", images)
    assert not (tmp_path / "x").exists()
