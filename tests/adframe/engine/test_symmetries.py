"""Augmentations that turn one shift into another, under a loss that must distinguish them."""

import pytest

from adframe.config.model import load_config
from adframe.engine.build import assemble
from adframe.errors import ConfigError

BASE = """\
dataset: lfw_faces
backbone: {name: resnet18, width: 0.0625}
shifts: [rotation]
schedule: {name: uniform, augmentation: {name: simclr, flip_probability: 0.5}}
objective: [{loss: shift_classification}]
method: contrastive
scorer: nearest_cosine
optimizer: sgd
train: {epochs: 1}
"""
BEFORE = "set {0}: 0, and do it before the shift (pre_shift)"
TRANSLATION = "shifts=[{name: translation, axes: x}]"
CUT_ROTATION = "shifts=[{name: rotation, angles: [90, 180]}]"
ALL = "shifts=[{name: compose, of: [{name: translation, axes: y}, rotation]}]"
HEADS = "objective=[{loss: {name: shift_heads, heads: [3, 4]}}]"
BOTH = "objective=[{loss: nt_xent}, {loss: shift_classification}]"
PHASES = (
    "schedule={name: phases, until: [0.5], of: [{name: uniform, augmentation: {name: simclr, "
    "flip_probability: 0}}, {name: downsized, size: 8, of: {name: uniform, augmentation: flip}}]}"
)
CSI = "scorer={name: csi, augmentation: simclr, pre_shift: flip}"


def problems(write, *settings):
    """Keys and messages with which the config is refused."""
    try:
        assemble(load_config(write(BASE), settings))
    except ConfigError as error:
        return [(".".join(map(str, problem.path)), problem.message) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("settings", "key", "names"),
    [
        ([], "schedule.augmentation.flip_probability", ["rotation (variant 1)", "(variant 3)"]),
        (["schedule.augmentation=pad_crop"], "schedule.augmentation.flip_probability", []),
        (["schedule.augmentation=droc"], "schedule.augmentation.flip_probability", []),
        (["schedule.augmentation=flip"], "schedule.augmentation.probability", []),
        ([PHASES], "schedule.of.1.of.augmentation.probability", []),
        ([TRANSLATION], "schedule.augmentation.flip_probability", ["translation (variant 1)"]),
        (["shifts=[flip]"], "schedule.augmentation.flip_probability", ["no shift", "flip (v"]),
        (["shifts=[sobel, rotation]"], "schedule.augmentation.flip_probability", ["rotation"]),
        ([ALL, HEADS], "schedule.augmentation.flip_probability", ["shift_heads"]),
        ([BOTH], "schedule.augmentation.flip_probability", ["shift_classification"]),
        (["objective.0.loss=supcon"], "schedule.augmentation.flip_probability", ["supcon"]),
        (["objective.0.loss=triplet_centre"], "schedule.augmentation.flip_probability", []),
        (
            ["schedule.augmentation.flip_probability=0", CSI],
            "scorer.augmentation.flip_probability",
            ["rotation (variant 1)"],
        ),
    ],
)
def test_a_shift_that_turns_into_another_is_refused_with_the_remedy(write, settings, key, names):
    ((path, text), *others) = problems(write, *settings)
    assert path == key
    assert not others
    assert BEFORE.format(key.rpartition(".")[2]) in text
    for name in names:
        assert name in text


@pytest.mark.parametrize(
    "settings",
    [
        ["schedule.augmentation.flip_probability=0", "method.pre_shift=flip"],
        ["schedule.augmentation.flip_probability=1"],  # all images alike
        ["objective.0.loss=nt_xent"],
        ["objective.0.loss=uniclr"],
        ["shifts=[cutperm, gaussian_blur, sobel]"],  # a mirror image stays in its class
        ["shifts=[{name: translation, axes: y}]"],
        ["shifts=[{name: translation, axes: x, share: 0.01}]"],  # moves no pixel of a small image
        [CUT_ROTATION],  # there is no class of 270 degrees
        ["method=equivariance"],  # it augments before the shift
        ["schedule.augmentation=small_rotation"],
        ["objective.0.loss=nt_xent", "scorer={name: csi, form: con, augmentation: simclr}"],
    ],
)
def test_what_keeps_the_shifts_apart_is_taken(write, settings):
    assert problems(write, *settings) == []
