"""The contrastive rivals, from their bundled configs, end to end at toy size."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import adframe
from adframe.config.model import RunConfig, load_config
from adframe.engine.build import assemble
from adframe.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = ["backbone.width=0.125", "train.epochs=1", "train.batch_size=8", "train.device=cpu"]


def small(name: str, *settings: str) -> RunConfig:
    return load_config(
        CONFIGS / f"{name}.yaml", ["dataset=lfw_faces", "outliers=[]", *SMALL, *settings]
    )


def folder(root: Path, **classes: int) -> Path:
    """Images of 25x25, the size of the faces; each class of its own brightness."""
    noise = np.random.default_rng(0)
    for place, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for index in range(count):
            pixels = noise.integers(60 * place, 60 * place + 60, (25, 25, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


def runs_and_is_restored(config: RunConfig, out: Path) -> adframe.Report:
    """Trains, scores, and gives the same scores once loaded from its folder."""
    report = adframe.run(config, out)
    for outcome in report.outcomes.values():
        assert all(0 <= value <= 1 for value in outcome.auroc.values())
        assert all(torch.isfinite(scores).all() for scores in outcome.scores.values())
        assert outcome.scores["inliers"].unique().numel() > 1
    images = config.dataset.build().load(config.seed).test
    pixels = images.pixels[~images.outlier][:4]
    again = adframe.load(out).score(pixels.permute(0, 2, 3, 1))
    first = next(iter(report.outcomes.values())).scores["inliers"][:4]
    np.testing.assert_allclose(again, first.numpy(), rtol=1e-3, atol=1e-4)
    return report


@pytest.mark.parametrize(
    ("name", "settings", "scorers"),
    [
        ("simclr/cifar10", ["scorer.0.views=2", "scorer.1.views=2"], ["nearest_cosine", "csi"]),
        ("csi/cifar10", ["scorer.views=2"], ["csi"]),
        ("csi/cifar10_no_shifts", ["scorer.views=2"], ["csi"]),
        (
            "droc/contrastive",
            [],
            ["kde", "one_class_svm", "one_class_svm_2", "gaussian_density", "knn"],
        ),
        (
            "droc/da_contrastive",
            ["method.depth=2", "method.hidden=16", "scorer=[kde]"],
            ["kde"],
        ),
        (
            "droc/rotation",
            [
                "objective.0.loss.hidden=[16, 16]",
                "method.pre_shift.official_code=true",
                "scorer=[kde]",
            ],
            ["kde"],
        ),
        ("ssd/cifar10", ["scorer.clusters=2"], ["mahalanobis"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_trains_and_scores(
    name: str, settings: list[str], scorers: list[str], tmp_path: Path
) -> None:
    report = runs_and_is_restored(small(name, *settings), tmp_path / "run")
    assert list(report.outcomes) == scorers


@pytest.mark.parametrize("name", ["supclr/cifar10", "csi/cifar10_labelled"])
def test_the_labelled_ones_tell_classes_apart(name: str, tmp_path: Path) -> None:
    root = folder(tmp_path / "images", dark=12, gray=12, bright=8)
    table = f"{{name: image_folder, root: {root}, normal: [dark, gray], labelled: true}}"
    config = load_config(CONFIGS / f"{name}.yaml", [f"dataset={table}", "outliers=[]", *SMALL])
    report = runs_and_is_restored(config, tmp_path / "run")
    assert next(iter(report.outcomes)) == "linear_probe"


def test_classifiers_trained_beside_a_loss_give_max_softmax_scores(tmp_path: Path) -> None:
    root = folder(tmp_path / "images", dark=12, gray=12, bright=8)
    table = f"{{name: image_folder, root: {root}, normal: [dark, gray], labelled: true}}"
    probes = "{loss: {name: classification, frozen: true}}, {loss: {name: joint_classification}}"
    joint = "{name: max_softmax, output: joint_logits}"
    settings = [
        f"dataset={table}",
        "outliers=[]",
        f"objective=[{{loss: supcon}}, {probes}]",
        f"scorer=[max_softmax, {joint}, {{name: linear_probe, apply_shifts: true}}]",
    ]
    config = load_config(CONFIGS / "csi/cifar10_labelled.yaml", [*SMALL, *settings])
    report = runs_and_is_restored(config, tmp_path / "run")
    assert list(report.outcomes) == ["max_softmax", "max_softmax_1", "linear_probe"]


def test_without_classes_a_linear_probe_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scorer\.0: linear_probe needs several labelled"):
        adframe.run(small("supclr/cifar10"))


def test_few_shot_ssd_compares_with_known_outliers_it_does_not_train_on(tmp_path: Path) -> None:
    root = folder(tmp_path / "images", bright=9)
    known = f"exposure.dataset={{name: image_folder, root: {root}, normal: bright}}"
    config = small("ssd/few_shot", known)
    report = runs_and_is_restored(config, tmp_path / "run")
    assert list(report.outcomes) == ["few_shot_mahalanobis"]
    assert "outlier_mean" in "".join(_tensors(tmp_path / "run/model.safetensors"))


def test_few_shot_ssd_without_known_outliers_is_refused() -> None:
    with pytest.raises(ConfigError, match="few_shot_mahalanobis needs known outliers"):
        adframe.run(small("ssd/cifar10", "scorer=few_shot_mahalanobis"))


def _tensors(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return list(file.keys())


@pytest.mark.slow
def test_any_scorer_runs_on_any_methods_features(tmp_path: Path) -> None:
    scorers = "[mahalanobis, kde, knn, gaussian_density, one_class_svm, {name: csi, form: con}]"
    report = adframe.run(load_config(
        CONFIGS / "quickstart.yaml", [*SMALL, "train.batch_size=35", f"scorer={scorers}"]
    ))  # fmt: skip
    assert len(report.outcomes) == 6
    assert all(math.isfinite(outcome.mean) for outcome in report.outcomes.values())


def test_published_hyper_parameters_reach_the_components() -> None:
    csi = load_config(CONFIGS / "csi/cifar10.yaml").dump()
    assert (csi["optimizer"]["name"], csi["optimizer"]["lr"]) == ("lars", 1.0)
    assert csi["train"]["batch_size"] * 4 == 512
    assert csi["scorer"][0]["views"] == 10
    plain = load_config(CONFIGS / "csi/cifar10_no_shifts.yaml").dump()
    assert (plain["shifts"], plain["train"]["batch_size"]) == ([], 512)
    assert plain["scorer"][0]["augmentation"]["scale"] == [0.54, 0.54]
    ssd = load_config(CONFIGS / "ssd/cifar10.yaml").dump()
    assert ssd["objective"][0]["weight"] == pytest.approx(0.5 / 0.07, rel=1e-6)
    rotation = load_config(CONFIGS / "droc/rotation.yaml").dump()
    assert rotation["method"]["pre_shift"]["name"] == "droc"
    assert rotation["schedule"]["augmentation"] == {"name": "flip", "probability": 0}
    assert rotation["method"]["independent"]


def test_csi_draws_a_flip_and_a_crop_for_each_row_and_no_flip_without_shifts() -> None:
    (csi,) = load_config(CONFIGS / "csi/cifar10.yaml").dump()["scorer"]
    assert (csi["independent"], csi["pre_shift"]["name"]) == (True, "flip")
    assert csi["augmentation"]["name"] == "csi"  # which does not flip
    scorers = load_config(CONFIGS / "csi/cifar10_no_shifts.yaml").dump()["scorer"]
    scorers += load_config(CONFIGS / "simclr/cifar10.yaml").dump()["scorer"]
    assert [scorer["augmentation"]["name"] for scorer in scorers] == ["csi"] * 3
    assert [scorer.get("pre_shift") for scorer in scorers] == [None, None, None]


HIDDEN = ["Linear 512 -> 512", "BatchNorm1d", "ReLU"]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("droc/rotation", [*HIDDEN * 7, "Linear 512 -> 512, bias", "Linear 512 -> 4, bias"]),
        ("droc/contrastive", [*HIDDEN * 8, "Linear 512 -> 128"]),
        ("droc/da_contrastive", [*HIDDEN * 8, "Linear 512 -> 128"]),
        ("csi/cifar10", ["Linear 512 -> 512, bias", "ReLU", "Linear 512 -> 128, bias"]),
        (
            "cutpaste/three_way",
            [
                *["Linear 512 -> 512, bias", "BatchNorm1d", "ReLU"],
                *["Linear 512 -> 128, bias", "BatchNorm1d", "ReLU"],
                "Linear 128 -> 3, bias",
            ],
        ),
    ],
)
def test_heads_are_those_of_public_code(name: str, layers: list[str]) -> None:
    method = assemble(load_config(CONFIGS / f"{name}.yaml")).method
    head = method.heads["4"].project if "4" in method.heads else method.terms["4"][0].classifier
    assert [described(layer) for layer in head] == layers


def described(layer: nn.Module) -> str:
    if not isinstance(layer, nn.Linear):
        return type(layer).__name__
    bias = "" if layer.bias is None else ", bias"
    return f"Linear {layer.in_features} -> {layer.out_features}{bias}"
