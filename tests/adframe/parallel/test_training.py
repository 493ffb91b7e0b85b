"""Training by two ranks is the training of one process: weights, statistics, optimizer state."""

import signal

import pytest
import torch

from adframe.config.model import load_config
from adframe.engine import features, train
from adframe.engine.checkpoint import load_state
from adframe.engine.checkpointing import CheckpointManager
from adframe.engine.runner import prepare
from adframe.errors import Stopped, TrainingError
from adframe.ops import contrastive
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


def trained(config, world, folder=None, stop_after=0):
    """All that training changes; a run in a folder is stopped after a step, or continued."""
    resumes = folder is not None and not stop_after
    out = folder if world.main else None
    run, optimizers = prepare(config, out, resumes, new=not resumes), {}
    run.world = world
    run.assembly.method.double()

    class Seen(CheckpointManager):
        def on_step_end(self):
            optimizers.update(self.optimizers)
            if self.run.step == stop_after and world.rank == world.size - 1:
                self.run.stop.asked = signal.SIGTERM
            super().on_step_end()

    train.CheckpointManager = Seen
    state = load_state(run, folder) if resumes else None
    run.hook.adframe_run_start(run=run)
    train.train(run, state)
    state = {name: value.clone() for name, value in run.assembly.method.state_dict().items()}
    for group, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            state |= {f"{group} {index} {name}": value for name, value in slots.items()
                      if isinstance(value, torch.Tensor)}  # fmt: skip
    assert run.step == run.total_steps
    return state


def check_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        difference = (found[name].double() - value.double()).abs().max()
        assert difference <= 1e-9 * value.double().abs().max().clamp(min=1), name


@pytest.fixture
def settled(monkeypatch):
    """Undoes what ``trained`` changes. Ranks share the pairs of small batches, too."""
    monkeypatch.setattr(train, "CheckpointManager", CheckpointManager)
    monkeypatch.setattr(contrastive, "BLOCKED_FROM", 0)


@pytest.mark.slow
@pytest.mark.usefixtures("double", "settled")
@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2)])
def test_a_run_continues_with_another_number_of_ranks(first, second, toy, tmp_path):
    config = toy("train.epochs=1", "train.batch_size=3", "train.drop_last=false")
    (tmp_path / "run").mkdir()

    def stopped(world):
        with pytest.raises(Stopped, match="after step 1 of 3, and saved"):
            trained(config, world, tmp_path / "run", stop_after=1)

    on_ranks(first, stopped)
    expected = trained(config, ALONE)
    for found in on_ranks(second, lambda world: trained(config, world, tmp_path / "run")):
        check_equal(found, expected)


@pytest.mark.slow
@pytest.mark.usefixtures("double", "settled")
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_train_what_one_process_trains(case, shapes, tmp_path):
    base, settings = CASES[case]
    path = tmp_path / "case.yaml"
    path.write_text(
        f"extends: {base}\ndataset: {{name: image_folder, root: {shapes}, normal: left, size: 16}}"
    )
    settings = [setting.replace("ROOT", str(shapes)) for setting in settings]
    if "backbone" not in " ".join(settings):
        settings.append("backbone.width=0.0625")
    alone = trained(load_config(path, [*settings, *STEPS]), ALONE)
    for found in on_ranks(2, lambda w: trained(load_config(path, [*settings, *STEPS]), w)):
        check_equal(found, alone)


def test_ranks_that_disagree_are_found(toy):
    def drift(world):
        run = prepare(toy("train.epochs=1"), None, new=True)
        run.world = world
        with torch.no_grad():
            next(run.assembly.method.parameters()).add_(world.rank)
        train.train(run)

    with pytest.raises(TrainingError, match="the processes disagree about backbone"):
        on_ranks(2, drift)
