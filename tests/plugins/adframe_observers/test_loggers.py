"""What loggers receive, with a stand-in for each package that need not be installed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import adframe
from adframe.engine.runner import evaluate_folder
from adframe.errors import ConfigError


class Calls(list):
    """Records every call, as (name, arguments, keywords); a call returns an object like it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **keywords):
            self.append((name, args, keywords))
            if name in ("get_experiment_by_name",):
                return None
            if name == "create_run":
                return SimpleNamespace(info=SimpleNamespace(run_id="7"))
            return self

        return call

    def of(self, name):
        return [(args, keywords) for called, args, keywords in self if called == name]


@pytest.fixture
def calls(monkeypatch):
    """The calls of a module that takes the place of each package."""
    calls = Calls()
    for name in ("mlflow", "wandb", "tensorboard", "torch.utils.tensorboard"):
        module = ModuleType(name)
        module.MlflowClient, module.init, module.SummaryWriter = (
            calls.MlflowClient, calls.init, calls.SummaryWriter,
        )  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def test_tensorboard_gets_each_epoch_and_the_auroc(toy, calls, tmp_path):
    report = adframe.run(toy("observers=[tensorboard]"), tmp_path / "run")
    made = (str(tmp_path / "run/tensorboard"),), {"purge_step": 1}
    assert calls.of("SummaryWriter") == [made]
    values = {(name, epoch): value for (name, value, epoch), _ in calls.of("add_scalar")}
    assert {epoch for name, epoch in values if name == "loss"} == {1, 2}
    (auroc,) = (value for (name, _), value in values.items() if name.startswith("auroc/"))
    assert auroc == report.mean_auroc
    assert len(calls.of("close")) == 1


def test_mlflow_gets_config_metrics_and_how_it_ended(toy, calls, tmp_path):
    config = toy("observers=[{name: mlflow, experiment: tries}]", "train.epochs=1")
    adframe.run(config, tmp_path / "run")
    assert calls.of("MlflowClient")[0][1]["tracking_uri"].endswith("run/mlruns")
    assert calls.of("create_experiment") == [(("tries",), {})]
    assert calls.of("log_text") == [(("7", config.yaml(), "config.yaml"), {})]
    names = [args[1] for args, _ in calls.of("log_metric")]
    assert "loss" in names
    assert any(name.startswith("auroc/") for name in names)
    assert calls.of("set_terminated") == [(("7", "FINISHED"), {})]


def test_wandb_stays_offline_and_hears_of_an_error(toy, calls, tmp_path, monkeypatch):
    from adframe.engine import runner

    def broken(run):
        raise ZeroDivisionError

    monkeypatch.setattr(runner, "evaluate", broken)
    with pytest.raises(ZeroDivisionError):
        adframe.run(toy("observers=[wandb]", "train.epochs=1"), tmp_path / "run")
    ((_, keywords),) = calls.of("init")
    assert (keywords["mode"], keywords["dir"]) == ("offline", str(tmp_path / "run"))
    ((args, _),) = calls.of("log")
    assert args[0]["epoch"] == 1
    assert calls.of("finish") == [((), {"exit_code": 1})]


def test_a_package_that_is_not_installed_is_one_line(toy, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"observers\.0: wandb needs what is not installed: .*"):
        adframe.run(toy("observers=[wandb]"), tmp_path / "run")
    assert not (tmp_path / "run/config.yaml").exists()


def test_the_text_log_has_a_line_an_epoch_and_the_end(toy, tmp_path):
    out = tmp_path / "run"
    report = adframe.run(toy("observers=[text_log]"), out)
    first, second, last = (out / "log.txt").read_text().splitlines()
    assert first.startswith("epoch 1/2: ")
    assert "loss " in first
    assert second.startswith("epoch 2/2: ")
    assert last == f"AUROC {report.mean_auroc:.4f}"
    (out / "log.txt").unlink()
    evaluate_folder(out)  # it is watched too; a model has no history
    assert (out / "log.txt").read_text().splitlines()[-1] == last
