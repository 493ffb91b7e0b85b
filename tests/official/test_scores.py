"""Scores of CSI, SSD, DROC, iDECODe and CutPaste, against what their public code gave."""

import json
from pathlib import Path

import pytest
import torch

import adframe
from adframe_idecode.scorers import p_values


def official(name):
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def rows(count, width, phase):
    """The formula of the data files."""
    index = torch.arange(count * width, dtype=torch.float64).view(count, width)
    return torch.sin(phase + 0.7 * index + index * index / 50)


def features(values):
    """What a scorer gets for the image as it is."""
    return {"features": values[:, None, None]}


def csi_features(count, phase, shifts=4):
    """(n, views, shifts, ...), from the (n, shifts, views, ...) of the public code."""
    projection = rows(count * 12, 5, phase).view(count, 4, 3, 5)[:, :shifts]
    logits = (rows(count * 12, 4, phase + 2) + 1.5).view(count, 4, 3, 4)[:, :shifts]
    return {"projection": projection.transpose(1, 2), "shift_logits": logits.transpose(1, 2)}


@pytest.mark.parametrize("part", ["test", "out"])
@pytest.mark.parametrize("name", ["csi", "no_shifts"])
def test_csis_score(name, part):
    case, shifts = official("csi_score")[name], 4 if name == "csi" else 1
    scorer = adframe.build("scorer", {"name": "csi", "form": "both" if shifts == 4 else "con"})
    scorer.fit(csi_features(6, 1, shifts))
    scores = -scorer.score(csi_features(4, {"test": 3, "out": 5}[part], shifts))
    # Without shifts the public code does not divide by the mean norm: a factor of all scores.
    factor = 1 if shifts == 4 else 1 / scorer.con_weight[0]
    torch.testing.assert_close(scores * factor, torch.tensor(case[part]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["mahalanobis", "few_shot_mahalanobis"])
def test_ssds_score(name):
    case = official("ssd")[name.removesuffix("_mahalanobis")]
    scorer = adframe.build("scorer", name)
    scorer.fit(features(rows(40, 6, 1)))
    if name == "few_shot_mahalanobis":
        scorer.expose(features(rows(9, 6, 7) + 0.5))
    for part, values in {"test": rows(5, 6, 3), "out": 2 * rows(5, 6, 5) + 1}.items():
        scores = scorer.score(features(values))
        torch.testing.assert_close(scores, torch.tensor(case[part]), atol=1e-3, rtol=1e-3)


DROC = {
    "knn": "knn",
    "kde": "kde",
    "one_class_svm": "one_class_svm",
    "linear_one_class_svm": {"name": "one_class_svm", "kernel": "linear"},
    "gaussian_density": "gaussian_density",
}


@pytest.mark.parametrize("name", DROC)
def test_drocs_scores(name):
    scorer = adframe.build("scorer", DROC[name])
    scorer.fit(features(rows(30, 6, 1)))
    scores = scorer.score(features(rows(8, 6, 3)))
    expected = torch.tensor(official("droc")["scores"][name])
    if "svm" in name:  # adframe subtracts the offset, a constant
        scores, expected = scores - scores.mean(), expected - expected.mean()
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)


def test_idecodes_p_values():
    calibration = (8 * rows(1, 19, 1)[0]).round().sort().values
    found = p_values((12 * rows(1, 12, 3)[0]).round(), calibration)
    expected = torch.tensor(official("idecode")["p_values"], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_cutpastes_score():
    """The Gaussian's negative log density is half the squared distance, plus a constant."""
    (spec,) = adframe.load_config("cutpaste/cifar10").scorer
    scorer = spec.build()
    scorer.fit(features(rows(30, 6, 1)))
    scores = scorer.score(features(rows(8, 6, 3)))
    halves = torch.tensor(official("cutpaste")["distances"]).square() / 2
    torch.testing.assert_close(scores - scores[0], halves - halves[0], atol=1e-4, rtol=1e-4)
