from pathlib import Path

import pytest
import torch

import adframe

CONFIG = Path(__file__).parents[3] / "configs/goad/cifar10_official_code.yaml"
TOY = ["backbone.widen_factor=0.25", "shifts=[rotation]", "train.batch_size=4"]


class Watch:
    """Batch statistics and weights after each epoch, and what the normalisations did."""

    def __init__(self, run: adframe.Run) -> None:
        norms = [m for m in run.assembly.method.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        self.norm = norms[0]
        self.means, self.weights = [], []

    def after(self) -> None:
        self.means.append(self.norm.running_mean.clone())
        self.weights.append(self.norm.weight.detach().clone())


def watched(toy_settings: list[str], out: Path | None = None, resume: bool = False) -> Watch:
    from adframe import hookimpl

    config = adframe.load_config(CONFIG, toy_settings)
    seen: list[Watch] = []

    class Observer:
        @hookimpl
        def adframe_run_start(self, run: adframe.Run) -> None:
            seen.append(Watch(run))

        @hookimpl
        def adframe_epoch_end(self, run: adframe.Run) -> None:
            seen[0].after()

    config.loaded.manager.register(Observer())
    adframe.run(config, out=out, resume=resume)
    return seen[0]


@pytest.fixture
def settings(shapes: Path) -> list[str]:
    return [*TOY, f"dataset={{name: image_folder, root: {shapes}, normal: left}}",
            "train.device=cpu", "train.checkpoint_every=1", "train.epochs=3"]  # fmt: skip


def test_statistics_stay_from_the_second_epoch_on_while_weights_move(settings: list[str]) -> None:
    watch = watched(settings)
    assert watch.means[0].any()
    assert torch.equal(watch.means[1], watch.means[0])
    assert torch.equal(watch.means[2], watch.means[0])
    assert not torch.equal(watch.weights[2], watch.weights[1])


def test_by_default_they_go_on_moving(settings: list[str]) -> None:
    watch = watched([*settings, "objective.1.loss.official_code=false"])
    assert not torch.equal(watch.means[1], watch.means[0])


@pytest.mark.slow
def test_a_resumed_run_is_frozen_too(settings, tmp_path, monkeypatch) -> None:
    import adframe.engine.checkpoint

    whole = watched(settings)
    saves = []
    save = adframe.engine.checkpoint.save_state

    def stop_after_the_first(*args: object) -> None:
        save(*args)
        saves.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(adframe.engine.checkpoint, "save_state", stop_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        watched(settings, tmp_path / "run")
    monkeypatch.undo()
    resumed = watched(settings, tmp_path / "run", resume=True)
    assert len(resumed.means) == 2
    assert torch.equal(resumed.means[-1], whole.means[-1])
    assert torch.equal(resumed.weights[-1], whole.weights[-1])
