"""Checks of observers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch

from adframe.interfaces import Images, MethodParts, Observer, Outcome, Report, Run, Splits
from adframe.registry.loading import load_plugins
from adframe.testing.fakes import Constant, SmallMethod, Still, WholeNet
from adframe.testing.subject import Subject

EPOCHS = 3


def _run(folder: Path | None) -> Run:
    """A run of a few epochs, which trains nothing."""
    images = Images(
        torch.zeros(4, 3, 16, 16, dtype=torch.uint8),
        torch.full((4,), -1),
        torch.zeros(4, dtype=torch.bool),
        list("abcd"),
    )
    config = SimpleNamespace(
        seed=0,
        train=SimpleNamespace(epochs=EPOCHS, batch_size=2, drop_last=True),
        loaded=load_plugins(sources=[]),
        dump=dict,
        yaml=str,
    )
    method, schedule = SmallMethod(), WholeNet(Still())
    assembly = SimpleNamespace(
        method=method,
        parts=MethodParts(method.backbone, [], schedule, [], 1, image_size=(16, 16)),
        scorers=[],
        metrics=[],
        shifts=[],
        optimizer=lambda group: Constant(),
    )
    splits = Splits(images, images, validation=images)
    return Run(config, folder, splits, {"inliers": images}, assembly, torch.device("cpu"))


def _watch(observer: Observer, run: Run) -> None:
    """Call the hooks of an observer as a run does."""
    loaded = run.config.loaded
    run.attach(observer)
    loaded.hook.adframe_run_start(run=run)
    for epoch in range(1, EPOCHS + 1):
        for _ in range(run.batches_per_epoch):
            metrics = {"loss": torch.tensor(1.0 / epoch)}
            loaded.hook.adframe_update(run=run, group="main", metrics=metrics)
            run.step += 1
        run.epoch, run.epoch_metrics = epoch, {"loss": 1.0 / epoch}
        run.history.setdefault("loss", []).append(1.0 / epoch)
        loaded.hook.adframe_epoch_end(run=run, epoch=epoch)
    for done in (0, 8):
        loaded.hook.adframe_progress(run=run, done=done, total=8)
    outcome = Outcome({"outliers": 0.75}, {"inliers": torch.zeros(4)})
    report = Report({"scorer": outcome}, {}, 1.0, EPOCHS, run.out)
    loaded.hook.adframe_run_end(run=run, report=report)


def observer_has_hooks(subject: Subject) -> None:
    """At least one hook is implemented, and each is marked ``@hookimpl``."""
    run = _run(None)
    observer = subject.make()
    run.attach(observer)
    callers = run.config.loaded.manager.get_hookcallers(observer)
    assert callers, f"{type(observer).__qualname__} implements no hook"


def observer_watches_a_run(subject: Subject) -> None:
    """It watches a run with a folder and one without, and is closed with and without an error."""
    with tempfile.TemporaryDirectory() as folder:
        for out, error in ((Path(folder), None), (None, RuntimeError("an error"))):
            observer, run = subject.make(), _run(out)
            _watch(observer, run)
            observer.close(error)
            assert observer.has_effect or not run.finished, (
                "ends training, but has_effect is False: a resumed run may omit it"
            )


def observer_may_be_closed_at_once(subject: Subject) -> None:
    """``close`` works if the run ended before any hook was called."""
    subject.make().close(ValueError("no data"))
