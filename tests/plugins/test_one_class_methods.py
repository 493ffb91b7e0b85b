"""Methods that describe what is normal: bundled configs, end to end at toy size."""

from pathlib import Path

import pytest
from safetensors.torch import load

import adframe

CONFIGS = Path(__file__).parents[2] / "configs"
TOY = [
    "dataset=lfw_faces",
    "backbone.width=0.0625",
    "train.epochs=1",
    "train.batch_size=16",
    "train.device=cpu",
    "train.checkpoint_every=1",
]
CASES = {
    "deep_svdd/cifar10": ["decision={false_alarms: 0.1, calibration: 0.2}"],
    "deep_svdd/soft_boundary": ["method.warmup=0", "scorer=[method_output, knn]"],
    "deep_sad/cifar10": ["exposure={ratio: 0.5, dataset: lfw_faces}"],
    "anogan/cifar10": ["method.steps=2", "method.latent=4"],
    "plad/cifar10": ["method.perturbator=8"],
    "nda_inspired/cifar10": ["method.latent=4", "shifts=[{name: rotation, angles: [180]}]"],
}


@pytest.mark.parametrize("name", CASES)
def test_it_trains_and_scores_faces_and_is_restored_from_its_folder(
    name: str, trained_and_restored
) -> None:
    config = adframe.load_config(CONFIGS / f"{name}.yaml", [*TOY, *CASES[name]])
    assert config.dump()["objective"] == []
    assert not trained_and_restored(config, 5).failed


def test_published_hyper_parameters_reach_the_components() -> None:
    svdd = adframe.load_config(CONFIGS / "deep_svdd/cifar10.yaml").dump()
    backbone, optimizer = svdd["backbone"], svdd["optimizer"]
    assert (backbone["bias"], backbone["contrast"]) == (False, True)
    assert (optimizer["lr"], optimizer["weight_decay"]) == (1e-4, 0.5e-6)
    assert [round(150 * drop) for drop in optimizer["drops"]] == [50]
    assert svdd["train"]["batch_size"] == 200
    anogan = adframe.load_config(CONFIGS / "anogan/cifar10.yaml").dump()
    method = anogan["method"]
    assert (method["latent"], method["feature_weight"], method["steps"]) == (256, 0.1, 500)
    assert anogan["optimizer"]["betas"] == [0.5, 0.999]


@pytest.mark.parametrize("name", ["deep_svdd/soft_boundary", "nda_inspired/cifar10"])
def test_a_resumed_run_has_the_centre_the_radius_and_the_latent_vectors(name, tmp_path) -> None:
    def train(folder: str, epochs: int, **how: bool) -> bytes:
        lasting = [f"train.epochs={epochs}", "optimizer.drops=[]", "scorer=knn"]
        config = adframe.load_config(CONFIGS / f"{name}.yaml", [*TOY, *CASES[name], *lasting])
        adframe.run(config, out=tmp_path / folder, **how)
        return (tmp_path / folder / "model.safetensors").read_bytes()

    first = train("halves", 1)
    halves = train("halves", 2, resume=True, extend=True)
    assert tensors(halves) == tensors(train("whole", 2))
    assert tensors(halves) != tensors(first)


def tensors(model: bytes) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load(model).items()}
