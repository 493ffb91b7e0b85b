"""A run: assemble, train, evaluate, and leave a folder that says what happened."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from adframe import checkpoint, reading
from adframe.assemble import Assembly, assemble
from adframe.config.model import RunConfig, load_config
from adframe.data.lazy import sha256
from adframe.errors import ConfigError, Problem, UserError
from adframe.evaluate import Outcome, auroc, fit, pixel_floor, score, test_sets
from adframe.folder import open_folder
from adframe.interfaces import Images, Splits
from adframe.io import atomic
from adframe.io.locks import held
from adframe.report import Report as Report
from adframe.report import scores_csv
from adframe.signals import Stop
from adframe.train import TrainingError as TrainingError
from adframe.train import train


@dataclass
class Run:
    """A run under way, as hooks see it.

    Attributes:
        exposed: outliers to train beside the inliers, if the config asks for them.
        step: batches trained so far, of ``total``.
        epoch: epochs completed.
        earlier: seconds spent by the processes that a resumed run goes on from.
        means: mean of each metric over the epoch just completed.
        verbose: whether to show anything on the terminal.
        fingerprint: SHA-256 of config and images, if the run has a folder.
        stop: whether the run was asked to end early.
    """

    config: RunConfig
    out: Path | None
    data: Splits
    parts: dict[str, Images]
    assembly: Assembly
    device: torch.device
    exposed: Images | None = None
    epoch: int = 0
    step: int = 0
    earlier: float = 0.0
    started: float = field(default_factory=time.monotonic)
    means: dict[str, float] = field(default_factory=dict)
    verbose: bool = False
    fingerprint: dict[str, str] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self._observers: list[object] = []

    @property
    def seconds(self) -> float:
        """Time this run has taken so far, earlier processes included."""
        return self.earlier + time.monotonic() - self.started

    @property
    def batch_size(self) -> int:
        """Inliers in a batch; the data set's size where that is smaller."""
        return min(self.config.train.batch_size, len(self.data.train))

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches in an epoch; the images left over differ from epoch to epoch."""
        return len(self.data.train) // self.batch_size

    @property
    def exposed_per_inlier(self) -> float:
        """Exposed outliers in a batch for each inlier."""
        return self.config.exposure.ratio if self.config.exposure else 0.0

    @property
    def total(self) -> int:
        """Batches in the whole run."""
        return self.batches_per_epoch * self.config.train.epochs

    @property
    def hook(self) -> Any:
        """The hooks of every plugin and of what was attached."""
        return self.config.host.hook

    def attach(self, observer: object) -> None:
        """Let an object's hooks be called from now on, for the rest of this run."""
        self.config.host.manager.register(observer)
        self._observers.append(observer)

    def detach(self) -> None:
        """Forget what was attached; the run is over."""
        for observer in self._observers:
            self.config.host.manager.unregister(observer)
            getattr(observer, "close", lambda: None)()
        self._observers.clear()


def run(
    config: RunConfig,
    out: str | Path | None = None,
    resume: bool = False,
    verbose: bool = False,
) -> Report:
    """Train and evaluate what a config says.

    Args:
        config: from ``load_config``.
        out: the run folder, made here; nothing is written without one.
        resume: go on from the folder's last checkpoint, or report its finished run.
        verbose: let plugins show progress and results on the terminal.

    Raises:
        UserError: the config does not fit together, the data is missing, the folder is taken.
        TrainingError: the loss is no longer finite.
        Stopped: Ctrl-C or SIGTERM ended a run that has a folder; training was saved.
    """
    folder = None if out is None else Path(out)
    with held(folder):
        current = prepare(config, folder, resume)
        current.verbose = verbose
        try:
            with nullcontext() if folder is None else current.stop.watching():
                current.hook.adframe_run_start(run=current)
                train(current)
                report = evaluate(current)
                if folder is not None:
                    write_report(report, current)
                current.hook.adframe_run_end(run=current, report=report)
            return report
        finally:
            current.detach()


def prepare(config: RunConfig, out: Path | None, resume: bool = False) -> Run:
    """A run ready to train: components checked, data read, folder opened."""
    device = _device(config)
    assembly = assemble(config)
    data = reading.load(config, assembly.dataset.load, "dataset")
    if len(data.train) < 2:
        raise UserError(f"{len(data.train)} training image(s); at least 2 are needed")
    outliers = reading.outlier_sets(config, assembly, data)
    parts = test_sets(config.dataset.entry.name, data.test, outliers)
    exposed = reading.exposed(config, assembly, data)
    if len(data.classes) > 1:
        assembly = assemble(config, classes=len(data.classes))
    elif lacking := [i for i, scorer in enumerate(assembly.scorers) if scorer.needs_classes]:
        say = "tells labelled inlier classes apart, and the data set gives one"
        names = {i: config.scorer[i].entry.name for i in lacking}
        raise config.located(
            ConfigError([Problem(("scorer", i), f"{name} {say}") for i, name in names.items()])
        )
    assembly.method.to(device).to(memory_format=torch.channels_last)
    current = Run(config, out, data, parts, assembly, device, exposed)
    if out is not None:
        open_folder(out, config, resume)
        images = [sha256(part.pixels) for part in (data.train, exposed) if part is not None]
        current.fingerprint = checkpoint.fingerprint(config, *images)
        facts = {"train_images": len(data.train), "train_sha256": images[0]}
        facts = {**checkpoint.environment(config, device), **facts}
        atomic.write_json(out / "environment.json", facts)
    return current


def _device(config: RunConfig) -> torch.device:
    name = config.train.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise config.located(ConfigError([Problem(("train", "device"), reason)])) from error
    return device


def evaluate(run: Run) -> Report:
    """Fit every scorer on the training images and score every test image."""
    method, seed = run.assembly.method, run.config.seed
    outcomes: dict[str, Outcome] = {}
    scorers, shifts = run.assembly.scorers, run.assembly.shifts
    fit(scorers, method, shifts, run.data.train, seed, run.exposed)
    of_parts = {
        name: score(scorers, method, shifts, images.pixels, seed)
        for name, images in run.parts.items()
    }
    for index in range(len(scorers)):
        scores = {part: of_scorers[index] for part, of_scorers in of_parts.items()}
        name = run.config.scorer[index].entry.name
        name = name if name not in outcomes else f"{name}_{index}"
        outcomes[name] = Outcome(auroc(scores), scores)
    floor = pixel_floor(run.data.train, run.parts)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out)


def write_report(report: Report, run: Run) -> None:
    """Write what evaluation found; ``result.json`` comes last, and says the folder is whole."""
    assert run.out is not None, "a report is written into a folder"
    facts = {
        "image_size": list(run.data.train.pixels.shape[1:]),
        "classes": list(run.data.classes),
        "epochs": report.epochs,
    }
    checkpoint.save_model(run, facts)
    atomic.write(run.out / "scores.csv", scores_csv(report, run.parts))
    atomic.write_json(run.out / "result.json", report.dump())


def evaluate_folder(
    folder: Path,
    *,
    plugins: Sequence[str | Path] = (),
    without: Iterable[str] = (),
    allow_code: bool = False,
    verbose: bool = False,
) -> Report:
    """Evaluate a run anew from its saved weights, and write what that finds.

    Raises:
        UserError: the folder holds no finished run, or a file of it is damaged.
    """
    with held(folder if folder.is_dir() else None):
        options = {"plugins": plugins, "without": without, "allow_code": allow_code}
        current, report = revive(folder, **options)
        current.out, report.out, current.verbose = folder, folder, verbose
        write_report(report, current)
        current.hook.adframe_run_end(run=current, report=report)
        return report


def revive(folder: Path, **options: Any) -> tuple[Run, Report]:
    """A finished run and what evaluating it anew finds; nothing is written."""
    model = checkpoint.model_facts(folder)
    config = load_config(folder / "config.yaml", **options)
    current = prepare(config, None)
    current.epoch = model[1]["epochs"]
    checkpoint.restore_model(folder, model, config, current.assembly)
    report = evaluate(current)
    report.seconds = checkpoint.seconds(folder / "result.json")  # of the run, not of looking at it
    return current, report
