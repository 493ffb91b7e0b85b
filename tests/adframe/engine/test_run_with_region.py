"""A run whose data set has a region of interest, and its detector, wherever it goes."""

import csv
import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

import adframe
from adframe.cli.main import main
from adframe.data.decode import ImageError
from adframe.data.reading import ReadAs
from adframe.detector.export import export
from adframe.detector.exported import load_export
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors
from adframe.sklearn import AnomalyDetector

HIGH, WIDE = 24, 32
CONFIG = """
dataset: {{name: image_folder, root: {root}/data, masks: {root}/masks, normal: good, size: 16,
  region: {root}/region.png}}
backbone: edge_filters
objective: [{{loss: nt_xent}}]
scorer: {{name: nearest_grid, grid: 4}}
metrics: [pixel_auroc]
decision: {{false_alarms: 0.3, calibration: 0.3}}
train: {{epochs: 0, device: cpu}}
"""


def _write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with images, masks of defects, a region and a config; the run is in ``run``."""
    torch.set_num_threads(1)
    root, noise = tmp_path_factory.mktemp("region"), np.random.default_rng(0)
    y, x = np.mgrid[:HIGH, :WIDE]
    _write(root / "region.png", (y - 12) ** 2 + (x - 18) ** 2 <= 81)  # 3..21, 9..27
    for index in range(14):
        pixels = noise.integers(100, 130, (HIGH, WIDE, 3), dtype=np.uint8)
        if index < 10:
            _write(root / "data/good" / f"{index}.png", pixels)
            continue
        defect = np.zeros((HIGH, WIDE), np.uint8)
        defect[8:14, index : index + 14] = 255  # partly outside of the region
        pixels[defect > 0] //= 2
        _write(root / "data/bad" / f"{index}.png", pixels)
        _write(root / "masks/bad" / f"{index}.png", defect)
    (root / "config.yaml").write_text(CONFIG.format(root=root))
    adframe.run(adframe.load_config(root / "config.yaml"), root / "run")
    shutil.move(root / "region.png", root / "moved.png")  # a detector needs it no more
    return root


@pytest.fixture(scope="module")
def detector(root):
    return adframe.load(root / "run")


@pytest.fixture(scope="module")
def inside(root):
    return np.asarray(Image.open(root / "moved.png")).astype(bool)


@pytest.fixture
def twins(root, inside, tmp_path):
    """An image, the same with other pixels outside, and one with other pixels inside."""
    pixels = np.asarray(Image.open(root / "data/good/0.png"))
    other = 255 - pixels
    return [
        _write(tmp_path / "same.png", pixels),
        _write(tmp_path / "outside.png", np.where(inside[..., None], pixels, other)),
        _write(tmp_path / "inside.png", np.where(inside[..., None], other, pixels)),
    ]


def _same_outside(scores):
    assert scores[0] == scores[1]
    assert scores[2] != scores[0]


def test_what_is_outside_decides_nothing(root, detector, twins, tmp_path):
    scores = detector.score(twins)
    _same_outside(scores)
    arrays = np.stack([np.asarray(Image.open(path)) for path in twins])
    np.testing.assert_array_equal(detector.score(arrays), scores)
    assert main(["score", str(root / "run"), *map(str, twins), "--out", str(tmp_path / "s")]) == 0
    with (tmp_path / "s").open() as file:
        written = [float(row["score"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(written, scores, rtol=1e-5)


def test_the_region_goes_with_the_detector(detector, twins, tmp_path):
    detector.save(tmp_path / "one.safetensors")
    expected = detector.score(twins)
    for other in (
        adframe.load(tmp_path / "one.safetensors"),
        pickle.loads(pickle.dumps(detector)),
        detector.quick(),
    ):
        assert other.reading == detector.reading
        np.testing.assert_allclose(other.score(twins), expected, rtol=1e-5)


def test_a_damaged_region_is_one_line(root, tmp_path):
    adframe.load(root / "run").save(tmp_path / "one.safetensors")
    tensors, facts = read_tensors(tmp_path / "one.safetensors")
    facts["region"]["mask"] = "aaaa"
    write_tensors(tmp_path / "two.safetensors", tensors, facts)
    with pytest.raises(UserError, match="damaged: region is damaged"):
        adframe.load(tmp_path / "two.safetensors")


def test_maps_have_their_lowest_value_outside(detector, twins, inside):
    for _, found in detector.explain_files(twins):
        assert found.map.shape == (HIGH, WIDE)
        assert (found.map[~inside] == found.map[inside].min()).all()
    assert found.map[inside].max() > found.map[inside].min()
    counted = detector.reading.counted().numpy()
    for found in detector.explain(twins):
        assert (found.map[~counted] == found.map[counted].min()).all()


def test_metrics_of_pixels_count_the_region_only(root, detector):
    region = np.asarray(Image.open(root / "moved.png")).astype(bool)
    reading = ReadAs(16, fit="squash", region=detector.reading.region)
    with (root / "run/scores.csv").open() as file:
        tested = [row["path"] for row in csv.DictReader(file)]
    truth, scores = [], []
    for path, found in zip(tested, detector.explain(tested), strict=True):
        whole = np.zeros((HIGH, WIDE), bool)
        if "/bad/" in path:
            whole = np.asarray(Image.open(path.replace("/data/", "/masks/"))) > 0
        for y in range(16):
            for x in range(16):
                row, column = 3 + int((y + 0.5) * 19 / 16), 9 + int((x + 0.5) * 19 / 16)
                if region[row, column]:
                    truth.append(whole[row, column])
                    scores.append(found.map[y, x])
    assert 0 < reading.counted().sum() * len(tested) == len(truth) < 256 * len(tested)
    result = json.loads((root / "run/result.json").read_text())
    (value,) = result["scorers"]["nearest_grid"]["metrics"]["pixel_auroc"].values()
    assert value == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)


@pytest.mark.slow
def test_an_exported_detector_cuts_the_region_out(root, detector, twins, tmp_path):
    file = tmp_path / "detector.pt2"
    export(detector, file, to="torch", images=twins)
    exported = load_export(file)
    assert exported.reading == detector.reading
    np.testing.assert_allclose(exported.score(twins), detector.score(twins), rtol=1e-4)
    found = exported.run(twins)["maps"]
    expected = np.stack([each.map for each in detector.explain(twins)])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_image_of_another_size_is_one_error_among_others(detector, twins, tmp_path):
    wrong = _write(tmp_path / "wrong.png", np.zeros((9, 9, 3), np.uint8))
    found = dict(detector.score_files([twins[0], wrong]))
    assert isinstance(found[twins[0]], float)
    assert isinstance(found[wrong], ImageError)
    assert str(found[wrong]).endswith("9x9 pixels; the mask of its region has 32x24")


@pytest.mark.parametrize(
    ("region", "text"),
    [
        ("[0, 0, 24, 33]", "32x24 pixels; the box [0, 0, 24, 33] of its region is not inside"),
        ("[5, 0, 5, 8]", "region: must be [top, left, bottom, right] of a box, not [5, 0, 5, 8]"),
        ("[0, 0, 8]", "region"),
        ("gone.png", "gone.png: No such file"),
        ("{root}/small.png", "32x24 pixels; the mask of its region has 4x4"),
        ("{root}/empty.png", "empty.png: marks no pixel"),
    ],
)
def test_a_wrong_region_is_one_line(root, tmp_path, capsys, region, text):
    for name, value in {"small": 255, "empty": 0}.items():
        _write(root / f"{name}.png", np.full((4, 4), value, np.uint8))
    setting = f"dataset.region={region.format(root=root)}"
    status = main(["run", f"{root}/config.yaml", "--set", setting, "--out", f"{tmp_path}/out"])
    shown = capsys.readouterr().err
    assert status == 2
    assert text in shown
    assert len(shown.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_defects_that_are_only_outside_are_counted(root, caplog):
    setting = "dataset.region=[0, 0, 6, 32]"
    adframe.run(adframe.load_config(root / "config.yaml", [setting]))
    told = "region: 4 of 4 defects lie wholly outside by their masks"
    assert told in caplog.messages


def test_the_estimator_of_scikit_learn_sees_the_region_too(root, twins):
    settings = {"dataset.region": f"{root}/moved.png", "dataset.masks": "null"}
    estimator = AnomalyDetector(root / "config.yaml", settings=settings)
    estimator.fit(sorted((root / "data/good").iterdir()))
    assert estimator.detector_.size == (3, 19, 19)
    _same_outside(estimator.score_samples(twins))
    assert estimator.detector_.reading.region is not None
