"""A run: assemble, train, evaluate, and leave a folder that says what happened."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adframe import checkpoint, files
from adframe.assemble import Assembly, assemble
from adframe.config import RunConfig
from adframe.draws import Draws, seed_of
from adframe.errors import ConfigError, Problem, UserError
from adframe.evaluate import Outcome, auroc, fit, pixel_floor, score, test_sets
from adframe.interfaces import Batch, Images, Shift, Splits, Update


class TrainingError(Exception):
    """Training cannot go on; what was saved before stays."""


@dataclass
class Report:
    """What a run came to: ``result.json`` as values.

    Attributes:
        outcomes: scorer name -> its scores and AUROC; the first is the run's own.
        floor: the same for raw-pixel nearest neighbours, untrained.
        seconds: training and evaluation, resumed parts included.
    """

    outcomes: dict[str, Outcome]
    floor: Outcome
    seconds: float
    epochs: int
    out: Path | None = None

    @property
    def auroc(self) -> dict[str, float]:
        """Outlier set -> AUROC of the first scorer."""
        return next(iter(self.outcomes.values())).auroc

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC of the first scorer over the outlier sets."""
        return next(iter(self.outcomes.values())).mean

    def dump(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        return {
            "auroc": self.auroc,
            "mean_auroc": self.mean_auroc,
            "floor": {"auroc": self.floor.auroc, "mean_auroc": self.floor.mean},
            "scorers": {
                name: {"auroc": outcome.auroc, "mean_auroc": outcome.mean}
                for name, outcome in self.outcomes.items()
            },
            "seconds": round(self.seconds, 1),
            "epochs": self.epochs,
        }


@dataclass
class Run:
    """A run under way, as hooks see it.

    Attributes:
        step: batches trained so far, of ``total``.
        epoch: epochs completed.
        means: mean of each metric over the epoch just completed.
    """

    config: RunConfig
    out: Path | None
    data: Splits
    parts: dict[str, Images]
    assembly: Assembly
    device: torch.device
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    means: dict[str, float] = field(default_factory=dict)

    @property
    def batch_size(self) -> int:
        """Inliers in a batch; the data set's size where that is smaller."""
        return min(self.config.train.batch_size, len(self.data.train))

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in an epoch; the images left over differ from epoch to epoch."""
        return len(self.data.train) // self.batch_size

    @property
    def total(self) -> int:
        """Batches in the whole run."""
        return self.batches_per_epoch * self.config.train.epochs

    @property
    def shifts(self) -> list[Shift]:
        """The shifts the method was set up with."""
        return list(getattr(self.assembly.method, "shifts", []))

    @property
    def hook(self) -> Any:
        """The hooks of every plugin and of what was attached."""
        return self.config.host.hook

    def attach(self, observer: object) -> None:
        """Let an object's hooks be called from now on, for the rest of this run."""
        self.config.host.manager.register(observer)
        self._observers.append(observer)

    def __post_init__(self) -> None:
        self._observers: list[object] = []

    def detach(self) -> None:
        """Forget what was attached; the run is over."""
        for observer in self._observers:
            self.config.host.manager.unregister(observer)
        self._observers.clear()


def run(config: RunConfig, out: str | Path | None = None, resume: bool = False) -> Report:
    """Train and evaluate what a config says.

    Args:
        config: from ``load_config``.
        out: the run folder, made here; nothing is written without one.
        resume: go on from the folder's last checkpoint, or report its finished run.

    Raises:
        UserError: the config does not fit together, the data is missing, the folder is taken.
        TrainingError: the loss is no longer finite.
    """
    current = prepare(config, None if out is None else Path(out), resume)
    try:
        current.hook.adframe_run_start(run=current)
        started = time.monotonic() - current.seconds
        train(current)
        report = evaluate(current)
        report.seconds = current.seconds = time.monotonic() - started
        if current.out is not None:
            write_report(current.out, report, current)
        current.hook.adframe_run_end(run=current, report=report)
        return report
    finally:
        current.detach()


def prepare(config: RunConfig, out: Path | None, resume: bool = False) -> Run:
    """A run ready to train: components checked, data read, folder made, checkpoint taken up."""
    device = _device(config)
    assembly = assemble(config)
    data = _load(config, assembly.dataset, "dataset")
    if len(data.train) < 2:
        raise UserError(f"{len(data.train)} training image(s); at least 2 are needed")
    outliers = _outlier_sets(config, assembly, data)
    parts = test_sets(config.dataset.entry.name, data.test, outliers)
    if len(data.classes) > 1:
        assembly = assemble(config, classes=len(data.classes))
    assembly.method.to(device=device, memory_format=torch.channels_last)
    current = Run(config, out, data, parts, assembly, device)
    if out is not None:
        checkpoint.open_folder(out, config, resume)
        facts = checkpoint.environment(config, data.train, device)
        files.write_json(out / "environment.json", facts)
    return current


def _load(config: RunConfig, dataset: Any, *path: str | int) -> Splits:
    try:
        splits: Splits = dataset.load(config.seed)
        return splits
    except (UserError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise config.located(ConfigError([Problem(path, str(error))])) from error


def _outlier_sets(config: RunConfig, assembly: Assembly, data: Splits) -> dict[str, Images]:
    sets: dict[str, Images] = {}
    for index, dataset in enumerate(assembly.outliers):
        images = _load(config, dataset, "outliers", index).test
        name = config.outliers[index].entry.name
        name = name if name not in (*sets, config.dataset.entry.name) else f"{name}_{index}"
        if images.pixels.shape[1:] != data.test.pixels.shape[1:]:
            here, there = tuple(images.pixels.shape[2:]), tuple(data.test.pixels.shape[2:])
            problem = Problem(("outliers", index), f"images of {here} pixels, not {there}")
            raise config.located(ConfigError([problem]))
        sets[name] = images
    return sets


def _device(config: RunConfig) -> torch.device:
    name = config.train.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise config.located(ConfigError([Problem(("train", "device"), reason)])) from error
    return device


def train(run: Run) -> None:
    """The training loop of every method: batches in, updates out, an optimiser step for each."""
    settings, method, policy = run.config.train, run.assembly.method, run.assembly.optimizer
    groups = method.groups()
    optimizers = {name: policy.build(parameters) for name, parameters in groups.items()}
    base = {name: [g["lr"] for g in optimizer.param_groups] for name, optimizer in optimizers.items()}
    _resume(run, optimizers)
    method.train()
    for epoch in range(run.epoch, settings.epochs):
        sums: dict[str, Tensor] = {}
        for batch in _batches(run, epoch):
            progress = run.step / run.total
            torch.manual_seed(seed_of(run.config.seed, "step", run.step))
            for update in _under(_autocast(run), method.step(batch, progress)):
                optimizer = optimizers[update.group]
                for group, lr in zip(optimizer.param_groups, base[update.group], strict=True):
                    group["lr"] = lr * policy.rate(progress)
                optimizer.zero_grad(set_to_none=True)
                update.loss.backward(inputs=groups[update.group])
                optimizer.step()
                metrics = {"loss": update.loss.detach(), **update.metrics}
                for name, value in metrics.items():
                    sums[name] = sums.get(name, 0) + value
                run.hook.adframe_update(run=run, group=update.group, metrics=metrics)
            run.step += 1
        run.epoch = epoch + 1
        run.means = {name: float(total) / run.batches_per_epoch for name, total in sums.items()}
        _stop_unless_finite(run)
        run.hook.adframe_epoch_end(run=run, epoch=run.epoch)
        last = run.epoch == settings.epochs
        if last or (settings.checkpoint_every and run.epoch % settings.checkpoint_every == 0):
            _save(run, optimizers)


def _batches(run: Run, epoch: int) -> Iterator[Batch]:
    """The images of an epoch in an order, and with draws, that seed and epoch alone decide."""
    images, seed = run.data.train, run.config.seed
    generator = torch.Generator().manual_seed(seed_of(seed, "order", epoch))
    order = torch.randperm(len(images), generator=generator)
    for start in range(0, run.batches_per_epoch * run.batch_size, run.batch_size):
        rows = order[start : start + run.batch_size]
        yield Batch(
            images.pixels.index_select(0, rows).to(run.device, non_blocking=True),
            images.label[rows].to(run.device, non_blocking=True),
            Draws.of(seed_of(seed, "epoch", epoch), rows.to(run.device, non_blocking=True)),
        )


def _under(context: AbstractContextManager[Any], updates: Iterator[Update]) -> Iterator[Update]:
    """The method's side of each update inside a context, the optimiser's side outside of it."""
    while True:
        with context:
            update = next(updates, None)
        if update is None:
            return
        yield update


def _autocast(run: Run) -> AbstractContextManager[Any]:
    precision = run.config.train.precision
    if precision == "auto":  # on a CPU, until its AUROC is shown to be equal, fp32
        precision = "bf16" if run.device.type == "cuda" else "fp32"
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(run.device.type, dtype=torch.bfloat16)


def _stop_unless_finite(run: Run) -> None:
    broken = [name for name, value in run.means.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"epoch {run.epoch}: {', '.join(broken)} is not finite; "
            "try a smaller learning rate, or train.precision fp32"
        )


def _resume(run: Run, optimizers: checkpoint.Optimizers) -> None:
    if run.out is not None:
        facts = checkpoint.load_state(run.out, run.assembly.method, optimizers)
        run.epoch, run.step = facts.get("epoch", 0), facts.get("step", 0)
        run.seconds = facts.get("seconds", 0.0)


def _save(run: Run, optimizers: checkpoint.Optimizers) -> None:
    if run.out is not None:
        facts = {"epoch": run.epoch, "step": run.step, "seconds": run.seconds}
        checkpoint.save_state(run.out, facts, run.assembly.method, optimizers)


def evaluate(run: Run) -> Report:
    """Fit every scorer on the training images and score every test image."""
    method, seed = run.assembly.method, run.config.seed
    outcomes: dict[str, Outcome] = {}
    for index, scorer in enumerate(run.assembly.scorers):
        fit(scorer, method, run.shifts, run.data.train, seed)
        scores = {
            name: score(scorer, method, run.shifts, images.pixels, seed)
            for name, images in run.parts.items()
        }
        name = run.config.scorer[index].entry.name
        outcomes[name if name not in outcomes else f"{name}_{index}"] = Outcome(auroc(scores), scores)
    floor = pixel_floor(run.data.train, run.parts)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out)


def write_report(out: Path, report: Report, run: Run) -> None:
    """Write what evaluation found; ``result.json`` comes last, and says the folder is whole."""
    facts = {
        "image_size": list(run.data.train.pixels.shape[1:]),
        "classes": list(run.data.classes),
        "epochs": report.epochs,
    }
    checkpoint.save_model(out, run.assembly.method, run.assembly.scorers, facts)
    files.write(out / "scores.csv", scores_csv(report, run.parts))
    files.write_json(out / "result.json", report.dump())


def scores_csv(report: Report, parts: dict[str, Images]) -> str:
    """One row a test image: path or index, label (1 = outlier), score, outlier set."""
    first, *others = report.outcomes.items()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=os.linesep)
    writer.writerow(["path", "label", "score", "set", *(f"score_{name}" for name, _ in others)])
    for part, images in parts.items():
        columns = [outcome.scores[part].tolist() for _, outcome in (first, *others)]
        for name, score_, *more in zip(images.names, *columns, strict=True):
            writer.writerow([name, int(part != "inliers"), score_, part, *more])
    return stream.getvalue()
