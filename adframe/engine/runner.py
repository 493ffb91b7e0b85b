"""A run: assemble, train, evaluate, and leave a folder that says what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from adframe.config.model import RunConfig, load_config
from adframe.data.lazy import sha256
from adframe.engine import checkpoint, datasets
from adframe.engine.build import assemble
from adframe.engine.datasets import make_test_sets
from adframe.engine.environment import environment
from adframe.engine.evaluate import evaluate
from adframe.engine.report import Report, write_report
from adframe.engine.run_folder import open_folder
from adframe.engine.state import Run
from adframe.engine.train import train
from adframe.errors import ConfigError, Problem, UserError
from adframe.io import atomic
from adframe.io.locks import lock_folder


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
    with lock_folder(folder):
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
    data = datasets.load(config, assembly.dataset.load, "dataset")
    if len(data.train) < 2:
        raise UserError(f"{len(data.train)} training image(s); at least 2 are needed")
    outliers = datasets.outlier_sets(config, assembly, data)
    parts = make_test_sets(config.dataset.entry.name, data.test, outliers)
    exposed = datasets.exposed(config, assembly, data)
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
        facts = {**environment(config, device), **facts}
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
    with lock_folder(folder if folder.is_dir() else None):
        options = {"plugins": plugins, "without": without, "allow_code": allow_code}
        current, report = load_run(folder, verbose, **options)
        current.out, report.out = folder, folder
        write_report(report, current)
        current.hook.adframe_run_end(run=current, report=report)
        return report


def load_run(folder: Path, verbose: bool = False, **options: Any) -> tuple[Run, Report]:
    """A finished run and what evaluating it anew finds; nothing is written."""
    model = checkpoint.model_facts(folder)
    config = load_config(folder / "config.yaml", **options)
    current = prepare(config, None)
    current.verbose = verbose
    current.epoch = model[1]["epochs"]
    checkpoint.restore_model(folder, model, config, current.assembly)
    try:
        report = evaluate(current)
    finally:
        current.detach()
    report.seconds = checkpoint.seconds(folder / "result.json")  # of the run, not of looking at it
    return current, report
