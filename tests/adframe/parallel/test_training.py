"""Training by two ranks is the training of one process: weights, statistics, optimizer state."""

import pytest
import torch

from adframe.config.model import load_config
from adframe.engine import features, train
from adframe.engine.checkpointing import CheckpointManager
from adframe.engine.runner import prepare
from adframe.errors import TrainingError
from adframe.parallel.world import ALONE
from adframe.testing.ranks import on_ranks
from adframe_anogan import method as anogan

STEPS = ["train.epochs=3", "train.batch_size=3", "train.drop_last=false", "train.device=cpu"]
#: Name -> config and settings. Batches have 3, 3 and 2 images.
CASES = {
    "unicon_ha": ("base/unicon_ha", ["exposure={dataset: {name: image_folder, root: ROOT, "
                                     "normal: right, size: 16}, ratio: 0.7}",
                                     "train.clip=0.1", "method.depth=2"]),
    "goad": ("goad/cifar10", ["backbone={depth: 10, widen_factor: 1}", "shifts=[rotation]"]),
    "goad_official": ("goad/cifar10_official_code", [
        "backbone={depth: 10, widen_factor: 1, dropout: 0.3}", "shifts=[rotation]"]),
    "anogan": ("anogan/cifar10", ["backbone.width=0.125"]),
}  # fmt: skip


@pytest.fixture
def double(monkeypatch):
    """Images and codes in float64."""

    def to_device(device, tensor):
        return tensor.double() / 255 if tensor.dtype == torch.uint8 else tensor

    codes = anogan.uniform_codes
    monkeypatch.setattr(anogan, "uniform_codes", lambda *given: codes(*given).double())
    monkeypatch.setattr(features, "to_device", to_device)
    monkeypatch.setattr(train, "to_device", to_device)


def trained(config, world):
    """All that training changes."""
    run, optimizers = prepare(config, None, new=True), {}
    run.world = world
    run.assembly.method.double()

    class Seen(CheckpointManager):
        def end_epoch(self):
            super().end_epoch()
            optimizers.update(self.optimizers)

    train.CheckpointManager = Seen
    run.hook.adframe_run_start(run=run)
    train.train(run)
    state = {name: value.clone() for name, value in run.assembly.method.state_dict().items()}
    for group, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            state |= {f"{group} {index} {name}": value for name, value in slots.items()
                      if isinstance(value, torch.Tensor)}  # fmt: skip
    assert run.step == 9
    return state


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_train_what_one_process_trains(case, shapes, tmp_path, double, monkeypatch):
    base, settings = CASES[case]
    path = tmp_path / "case.yaml"
    path.write_text(
        f"extends: {base}\ndataset: {{name: image_folder, root: {shapes}, normal: left, size: 16}}"
    )
    settings = [setting.replace("ROOT", str(shapes)) for setting in settings]
    if "backbone" not in " ".join(settings):
        settings.append("backbone.width=0.0625")
    monkeypatch.setattr(train, "CheckpointManager", CheckpointManager)
    alone = trained(load_config(path, [*settings, *STEPS]), ALONE)
    for found in on_ranks(2, lambda w: trained(load_config(path, [*settings, *STEPS]), w)):
        assert found.keys() == alone.keys()
        for name, value in alone.items():
            difference = (found[name].double() - value.double()).abs().max()
            assert difference <= 1e-9 * value.double().abs().max().clamp(min=1), name


def test_ranks_that_disagree_are_found(toy):
    def drift(world):
        run = prepare(toy("train.epochs=1"), None, new=True)
        run.world = world
        with torch.no_grad():
            next(run.assembly.method.parameters()).add_(world.rank)
        train.train(run)

    with pytest.raises(TrainingError, match="the processes disagree about backbone"):
        on_ranks(2, drift)
