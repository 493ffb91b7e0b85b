"""Runs a config from start to end: build, read data, train, evaluate, write the run folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from adframe.config.model import RunConfig, load_config
from adframe.engine import checkpoint, datasets, model_file
from adframe.engine.build import construct, locating, set_up
from adframe.engine.environment import environment
from adframe.engine.evaluate import evaluate, share_evaluation
from adframe.engine.first_use import SAMPLE, check_first_use
from adframe.engine.global_state import kept
from adframe.engine.report import write_report
from adframe.engine.run_folder import changed_rule, check_config, write_config
from adframe.engine.start import freeze, start, start_modules
from adframe.engine.state import Run
from adframe.engine.train import train
from adframe.errors import ConfigError, Problem, UserError
from adframe.interfaces import Report
from adframe.io import atomic
from adframe.io.locks import FolderLock, lock_folder
from adframe.io.paths import as_path
from adframe.parallel.world import ALONE, World
from adframe.registry.registry import reason


def run(
    config: RunConfig,
    out: str | Path | None = None,
    resume: bool = False,
    verbose: bool = False,
    extend: bool = False,
) -> Report:
    """Train and evaluate a run from a config.

    Args:
        config: from ``load_config``.
        out: the run folder, which is created; None writes nothing.
        resume: continue from the last checkpoint in the folder, or evaluate its finished run.
        verbose: let plugins show progress and results on the terminal.
        extend: with ``resume``, the config may have more epochs than the run in the folder.

    Raises:
        UserError: components do not fit together, data are missing, the folder is in use, ...
        TrainingError: a loss or a weight is not finite.
        Stopped: Ctrl-C or SIGTERM stopped a run that has a folder; the run was saved.
    """
    with lock_folder(None if out is None else as_path(out)) as lock:
        return run_locked(config, lock, resume, verbose, extend)


@kept()
def run_locked(
    config: RunConfig,
    lock: FolderLock,
    resume: bool = False,
    verbose: bool = False,
    extend: bool = False,
    world: World = ALONE,
) -> Report:
    """The same as ``run`` in a folder that is locked already, or in none.

    In a ``world`` of several processes this is the first; the others ``assist``.
    """
    folder = lock.folder
    resumes = folder is not None and resume and (folder / "state.safetensors").exists()
    current = prepare(config, folder, resume, extend, new=True)
    current.lock, current.verbose, current.world = lock, verbose, world
    world.check_device(current.device)
    world.broadcast({"resumes": resumes, "extends": current.extends})  # all is ready for the others
    with current.observed(), nullcontext() if folder is None else current.stop.watching():
        state = checkpoint.load_state(current)
        current.hook.adframe_run_start(run=current)
        train(current, state)
        report = evaluate(current)
        report.validation = current.final_figures()
        world.leave()
        if folder is not None:
            write_report(report, current)
        current.hook.adframe_run_end(run=current, report=report)
    return report


@kept()
def assist(config: RunConfig, folder: Path, world: World) -> None:
    """Train and evaluate with the first process, which runs ``run_locked``; writes nothing.

    Args:
        config: the config of the run, as in the first process.
        folder: the run folder, which the first process has locked.
        world: the processes.
    """
    facts = world.broadcast()
    current = prepare(config, None, new=not facts["resumes"])
    current.world, current.extends = world, facts["extends"]
    world.check_device(current.device)
    with current.observed(by_config=False), current.stop.watching():
        state = checkpoint.load_state(current, folder) if facts["resumes"] else None
        current.hook.adframe_run_start(run=current)
        train(current, state)
        share_evaluation(current)
        current.final_figures()
        world.leave()


def prepare(
    config: RunConfig,
    out: Path | None,
    resume: bool = False,
    extend: bool = False,
    new: bool = False,
) -> Run:
    """Build the components, read the data, and open the run folder.

    Nothing is written before config and images are accepted. With ``new``, the network gets its
    first weights, unless the folder holds a state of training.

    Raises:
        ConfigError: components, data and device do not fit together; with file and line.
        UserError: there is too little data, or the folder holds another run.
    """
    with locating(config):
        device = _device(config)
        assembly = construct(config)
        with torch.random.fork_rng(devices=[]):  # weights do not depend on what data sets draw
            data = datasets.load(config, assembly)
        splits = data.splits
        state = None if out is None else out / "state.safetensors"
        fresh = new and not (state is not None and resume and state.exists())
        started_from = start(config, assembly.parts.backbone) if fresh else ""
        height, width = splits.train.pixels.shape[2:]
        set_up(config, assembly, len(splits.classes), (height, width))
        if started_from:
            start_modules(config, assembly.method)
    check_first_use(assembly, splits.train.pixels[:SAMPLE])
    with locating(config):
        freeze(config, assembly.parts.backbone, splits.train.pixels)
    assembly.method.to(device).to(memory_format=torch.channels_last)
    current = Run(config, out, splits, data.test_sets, assembly, device, data.exposed)
    current.calibration, current.validation = data.calibration, data.validation
    current.started_from, current.labelled = started_from, data.labelled
    current.region = data.region
    current.fingerprint = checkpoint.fingerprint(config, *data.sha256)
    if out is not None:
        extended = check_config(out, config, resume, extend)
        if extended is not None:
            current.extends = checkpoint.fingerprint(config, epochs=extended)["config"]
        checkpoint.check_state(out, current)
        write_config(out, config)
        write_environment(out, current, train_sha256=data.sha256[0])
    return current


def write_environment(out: Path, run: Run, **more: str) -> None:
    """Write ``environment.json`` of a run, with more facts."""
    facts = {"train_images": len(run.data.train), **more}
    if run.started_from:
        facts["started_from"] = run.started_from
    atomic.write_json(out / "environment.json", {**environment(run.config, run.device), **facts})


def _device(config: RunConfig) -> torch.device:
    name = config.train.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except Exception as error:  # torch raises many kinds for devices that are not there
        text = f"{name} cannot be used: {reason(error).partition('. ')[0]}"
        raise ConfigError([Problem(("train", "device"), text)]) from error
    return device


@kept()
def evaluate_folder(
    folder: Path,
    verbose: bool = False,
    **options: Any,
) -> Report:
    """Evaluate a finished run again from its saved weights, and write the result.

    Args:
        folder: a run folder.
        verbose: let plugins show progress and results on the terminal.
        options: settings, plugins, without, allow_code, as for ``load_config``. Settings may
            change what does not decide the result, such as the place of the images, and what gives
            the threshold of the decision, which the config of the folder then has.

    Raises:
        UserError: the folder holds no finished run, or a file of it is damaged.
    """
    with lock_folder(folder if os.path.isdir(folder) else None) as lock:
        current = load_run(folder, **options)
        current.out, current.lock, current.verbose = folder, lock, verbose
        with current.observed():
            report = evaluate_trained(current, folder, fitted=True)
            if changed_rule(folder, current.config):
                write_config(folder, current.config)
            write_report(report, current)
            current.hook.adframe_run_end(run=current, report=report)
        return report


@kept()
def load_run(folder: Path, **options: Any) -> Run:
    """Load a finished run to score its test images again; writes nothing.

    Raises:
        UserError: as for ``evaluate_folder``; or the training images are not those of the run.
    """
    model = model_file.model_facts(folder)
    config = load_config(folder / "config.yaml", **options)
    model_file.check_model(folder, config, model[1])
    current = prepare(config, None)
    take_facts(current, model[1])
    if model[1]["images"] != current.fingerprint["images"]:
        raise UserError(f"{folder}: the training images have changed; train again")
    model_file.restore_model(folder / "model.safetensors", model, config, current.assembly)
    return current


def take_facts(run: Run, facts: Mapping[str, Any]) -> None:
    """Give a run what its trained model knows of the training."""
    run.epoch, run.finished = facts["epochs"], str(facts.get("finished", ""))
    run.started_from = model_file.started_from(facts)


def evaluate_trained(run: Run, folder: Path, fitted: bool) -> Report:
    """Evaluate a run whose network was trained in ``folder``; the time is that of the training."""
    report = evaluate(run, fitted)
    result = folder / "result.json"
    report.seconds = checkpoint.seconds(result)
    report.validation = checkpoint.validation(result) if fitted else run.final_figures()
    return report
