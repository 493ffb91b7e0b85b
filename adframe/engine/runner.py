"""Runs a config from start to end: build, read data, train, evaluate, write the run folder."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from adframe.config.model import RunConfig, load_config
from adframe.data.lazy import sha256
from adframe.engine import checkpoint, datasets
from adframe.engine.build import construct, locating, set_up
from adframe.engine.environment import environment
from adframe.engine.evaluate import evaluate
from adframe.engine.report import write_report
from adframe.engine.run_folder import open_folder
from adframe.engine.state import Run
from adframe.engine.train import train
from adframe.errors import ConfigError, Problem
from adframe.interfaces import Report
from adframe.io import atomic
from adframe.io.locks import FolderLock, lock_folder


def run(
    config: RunConfig,
    out: str | Path | None = None,
    resume: bool = False,
    verbose: bool = False,
) -> Report:
    """Train and evaluate a run from a config.

    Args:
        config: from ``load_config``.
        out: the run folder, which is created; None writes nothing.
        resume: continue from the last checkpoint in the folder, or evaluate its finished run.
        verbose: let plugins show progress and results on the terminal.

    Raises:
        UserError: components do not fit together, data are missing, the folder is in use, ...
        TrainingError: a loss or a weight is not finite.
        Stopped: Ctrl-C or SIGTERM stopped a run that has a folder; the run was saved.
    """
    with lock_folder(None if out is None else Path(out)) as lock:
        return run_locked(config, lock, resume, verbose)


def run_locked(
    config: RunConfig, lock: FolderLock, resume: bool = False, verbose: bool = False
) -> Report:
    """The same as ``run`` in a folder that is locked already, or in none."""
    folder = lock.folder
    current = prepare(config, folder, resume)
    current.lock, current.verbose = lock, verbose
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
    """Build the components, read the data, and open the run folder.

    Raises:
        ConfigError: components, data and device do not fit together; with file and line.
        UserError: there is too little data, or the folder holds another run.
    """
    with locating(config):
        device = _device(config)
        assembly = construct(config)
        with torch.random.fork_rng(devices=[]):  # weights do not depend on what data sets draw
            splits, test_sets, exposed = datasets.load(config, assembly)
        set_up(config, assembly, len(splits.classes))
    assembly.method.to(device).to(memory_format=torch.channels_last)
    current = Run(config, out, splits, test_sets, assembly, device, exposed)
    if out is not None:
        open_folder(out, config, resume)
        trained_on = [images for images in (splits.train, exposed) if images is not None]
        digests = [sha256(images.pixels) for images in trained_on]
        current.fingerprint = checkpoint.fingerprint(config, *digests)
        facts = {"train_images": len(splits.train), "train_sha256": digests[0]}
        atomic.write_json(out / "environment.json", {**environment(config, device), **facts})
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
        raise ConfigError([Problem(("train", "device"), reason)]) from error
    return device


def evaluate_folder(
    folder: Path,
    verbose: bool = False,
    **options: Any,
) -> Report:
    """Evaluate a finished run again from its saved weights, and write the result.

    Args:
        folder: a run folder.
        verbose: let plugins show progress and results on the terminal.
        options: plugins, without, allow_code, as for ``load_config``.

    Raises:
        UserError: the folder holds no finished run, or a file of it is damaged.
    """
    with lock_folder(folder if os.path.isdir(folder) else None) as lock:
        current, report = load_run(folder, verbose, **options)
        current.out, report.out, current.lock = folder, folder, lock
        write_report(report, current)
        current.hook.adframe_run_end(run=current, report=report)
        return report


def load_run(folder: Path, verbose: bool = False, **options: Any) -> tuple[Run, Report]:
    """Load a finished run and evaluate it again; writes nothing."""
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
    report.seconds = checkpoint.seconds(folder / "result.json")  # of the run, not of loading it
    return current, report
