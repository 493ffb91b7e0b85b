"""Values that are not finite in training: found, named, and never saved."""

import json
import math
import os
import signal
import time

import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.engine import monitor
from adframe.engine.monitor import MetricAccumulator, NonFiniteError
from adframe.errors import TrainingError
from adframe.io.tensors import read_tensors


def test_a_watch_sums_what_it_sees_whenever_it_looks():
    values = [0.1 * n for n in range(30)]
    often, seldom = MetricAccumulator({}), MetricAccumulator({})
    for step, value in enumerate(values):
        metrics = {"loss": torch.tensor(value), "term_1": torch.tensor(-value)}
        often.add(step, metrics)
        seldom.add(step, metrics)
        often.flush()
    assert often.sums == {} or often.sums["loss"] == pytest.approx(sum(values))
    halves = MetricAccumulator(often.sums)
    assert halves.means(30) == seldom.means(30) == often.means(30)
    assert often.sums == {}
    assert seldom.means(30) == {}


@pytest.mark.parametrize(("metrics", "said"), [
    ({"uniclr_2": 1, "uniclr_4": math.nan, "loss": math.nan}, "loss term uniclr at stage 4"),
    ({"soft_loss_3_7": math.inf, "loss": math.inf}, "loss term soft_loss at stage 3"),
    ({"a_1": math.inf, "a_2": -math.inf, "loss": math.nan}, "loss term a at stage 1, a at stage 2"),
    ({"distance": math.nan, "loss": 1}, "loss term distance"),
    ({"a_1": 1, "loss": -math.inf}, "the loss"),
])  # fmt: skip
def test_the_first_step_that_is_not_finite_is_named_with_its_terms(metrics, said):
    seen = MetricAccumulator({})
    seen.add(6, {name: torch.tensor(1.0) for name in metrics})
    seen.add(7, {name: torch.tensor(float(value)) for name, value in metrics.items()})
    seen.add(8, {name: torch.tensor(math.nan) for name in metrics})
    with pytest.raises(NonFiniteError) as caught:
        seen.flush()
    assert (caught.value.step, str(caught.value)) == (8, f"{said} is not finite")


def _spoil(monkeypatch, number, spoil):
    """Let something happen before the ``number``-th step of the optimiser."""
    step, calls = torch.optim.SGD.step, []

    def spoiled(optimizer, *args):
        calls.append(1)
        if len(calls) == number:
            spoil(optimizer.param_groups[0]["params"])
        return step(optimizer, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", spoiled)


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(
    toy_file, tmp_path, monkeypatch, capsys
):
    """The gradients of step 3 are lost, so every term of step 4 is; step 2 was saved."""

    def lose(parameters):
        for parameter in parameters:
            parameter.grad.fill_(math.nan)

    _spoil(monkeypatch, 3, lose)
    out = tmp_path / "run"
    assert main(["run", str(toy_file), "--out", str(out)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "epoch 2, step 4: loss term uniclr at stage 2, uniclr at stage 3, "
        "uniclr at stage 4 is not finite; the checkpoint of step 2 stays; "
        "try a smaller learning rate, train.clip: 1.0 or train.precision: fp32"
    )
    tensors, facts = read_tensors(out / "state.safetensors")
    assert facts["step"] == 2
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert not (out / "result.json").exists()
    (line,) = (out / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["epoch"] == 1


def test_weights_that_are_not_finite_are_never_saved(toy, tmp_path, monkeypatch):
    """The last step of an epoch spoils them: no loss has shown it yet."""
    _spoil(monkeypatch, 4, lambda parameters: parameters[0].grad.fill_(math.inf))
    with pytest.raises(TrainingError, match=r"^epoch 2, step 4: weight \S+ is not finite; the che"):
        adframe.run(toy(), tmp_path / "run")
    assert read_tensors(tmp_path / "run/state.safetensors")[1]["step"] == 2


@pytest.mark.parametrize("when", ["time", "signal"])
def test_features_that_are_not_finite_are_never_saved(toy, tmp_path, monkeypatch, when):
    """Weights and losses are finite; in evaluation the network subtracts a spoilt mean."""

    def spoil(parameters):
        for norm in norms:
            norm.running_mean.fill_(math.nan)
        if when == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 3600)

    norms, make = [], torch.nn.BatchNorm2d.__init__

    def noted(norm, *args, **options):
        make(norm, *args, **options)
        norms.append(norm)

    monkeypatch.setattr(torch.nn.BatchNorm2d, "__init__", noted)
    _spoil(monkeypatch, 3, spoil)
    with pytest.raises(TrainingError, match=r"^epoch 2, step 3: a feature .* is not finite; "):
        adframe.run(toy("train.checkpoint_every=10min"), tmp_path / "run")
    assert not (tmp_path / "run/state.safetensors").exists()


def test_clip_bounds_the_norm_of_the_gradient(toy, monkeypatch):
    norms = {}

    def note(name):
        def look(optimizer, *args):
            parts = [p.grad for p in optimizer.param_groups[0]["params"] if p.grad is not None]
            norms.setdefault(name, []).append(torch.cat([p.flatten() for p in parts]).norm().item())

        return look

    for name, setting in {"free": "null", "bound": "0.01", "loose": "1000.0"}.items():
        monkeypatch.setattr(torch.optim.SGD, "step", note(name))  # weights stay, so norms compare
        adframe.run(toy(f"train.clip={setting}", "train.epochs=1"))
    assert min(norms["free"]) > 0.01
    assert norms["bound"] == pytest.approx([0.01] * 2, rel=1e-3)
    assert norms["loose"] == norms["free"]


@pytest.mark.parametrize("value", ["0", "-1", ".inf", "yes"])
def test_a_clip_is_a_positive_number(toy_file, value, capsys):
    assert main(["check", str(toy_file), "--set", f"train.clip={value}"]) == 2
    assert "train.clip: must be " in capsys.readouterr().err


def test_a_collapsed_representation_is_a_warning_with_the_epoch(toy, monkeypatch, logged):
    """At test time every feature is the same, in both epochs; one status line says so."""
    forward = torch.nn.BatchNorm2d.forward
    monkeypatch.setattr(
        torch.nn.BatchNorm2d,
        "forward",
        lambda self, x: forward(self, x) if self.training else torch.ones_like(x),
    )
    adframe.run(toy())
    logged("^epoch 1: the representation has collapsed: the features of training")


def test_images_that_come_in_several_passes_have_the_same_spread(toy, monkeypatch):
    from adframe.engine.runner import prepare

    run = prepare(toy(), None)
    method, pixels = run.assembly.method, run.data.train.pixels.repeat(3, 1, 1, 1)
    at_once = monitor.feature_variance(method, pixels)
    monkeypatch.setattr("adframe.engine.features.MAX_PIXELS_ON_CPU", 1)
    assert monitor.feature_variance(method, pixels) == pytest.approx(at_once, rel=1e-5)


def test_spread_is_the_variance_of_unit_features(toy):
    from adframe.engine.features import extract_features
    from adframe.engine.runner import prepare
    from adframe.interfaces import ViewSpec

    run = prepare(toy(), None)
    method, pixels = run.assembly.method, run.data.train.pixels
    (seen,) = extract_features(method, [], pixels, ViewSpec(), 0)
    unit = [row / row.norm() for row in seen["features"].flatten(1).double()]
    count = len(unit)
    pairs = sum(float((a - b).square().sum()) for a in unit for b in unit)
    assert monitor.feature_variance(method, pixels) == pytest.approx(
        pairs / (2 * count * count), rel=1e-6
    )
    assert monitor.feature_variance(method, pixels[:1].repeat(5, 1, 1, 1)) < monitor.COLLAPSED
