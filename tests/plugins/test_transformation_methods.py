"""Methods that predict transformations: bundled configs, end to end at toy size."""

from pathlib import Path

import pytest

import adframe

CONFIGS = Path(__file__).parents[2] / "configs"
TOY = [
    "dataset=lfw_faces",
    "train.epochs=1",
    "train.batch_size=10",
    "train.device=cpu",
    "train.checkpoint_every=1",
]
SMALL = ["backbone.widen_factor=0.25", "backbone.depth=10"]
EIGHT = ["shifts=[{name: compose, of: [flip, rotation]}]"]
CASES = {
    "rotnet/cifar10": ["backbone.width=0.0625"],
    "rot_trans/cifar10": [
        "backbone.width=0.0625",
        "shifts=[{name: compose, of: [{name: translation, axes: x}, rotation]}]",
        "objective.0.loss.heads=[3, 4]",
    ],
    "geom/cifar10": [*SMALL, *EIGHT],
    "goad/cifar10": [*SMALL, *EIGHT],
    "goad/cifar10_official_code": [*SMALL, *EIGHT, "train.epochs=2"],
    "idecode/cifar10": [*SMALL, "method.draws=2", "method.held_out=0.2"],
    "cutpaste/three_way": ["backbone.width=0.0625"],
}
#: What these configs name is no concern of the methods: any classifier of shifts, any density.
OTHERS = {"cutpaste": ["objective=[{loss: shift_classification}]", "scorer=nearest_cosine"]}


@pytest.mark.parametrize("name", CASES)
def test_it_trains_and_scores_faces_and_is_taken_up_from_its_folder(
    name: str, trained_and_restored
) -> None:
    settings = [*OTHERS.get(name.partition("/")[0], []), *TOY, *CASES[name]]
    config = adframe.load_config(CONFIGS / f"{name}.yaml", settings)
    trained_and_restored(config, 9)
