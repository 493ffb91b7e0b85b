"""``adframe run``: train and evaluate a run from a config."""

from __future__ import annotations

import argparse
import logging
import os
from contextlib import suppress
from itertools import count
from pathlib import Path

from adframe.cli import options
from adframe.errors import ProcessLost, RankLost, Stopped, TrainingError, UserError
from adframe.io.paths import a_path
from adframe.parallel.ranks import of_environment
from adframe.parallel.world import World

summary = "train and evaluate a run from a config"
RUNS = Path("runs")  #: holds the folders of runs without ``--out``


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare CONFIG, ``--out`` and ``--resume``."""
    options.config(parser)
    parser.add_argument("--out", type=a_path, metavar="DIR", help="run folder (runs/NAME-N)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument(
        "--extend", action="store_true", help="with --resume: train on to more epochs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train and evaluate; returns 1 if it or a scorer fails, 130 or 143 if it is interrupted.

    Of the processes that torchrun starts, the first does all but the training alone.
    """
    world = of_environment()
    if world.size == 1:
        return _run(arguments, world)
    try:
        return _run(arguments, world) if world.main else _assist(arguments, world)
    except BaseException as error:
        agreed = isinstance(error, Stopped) and not world.main  # the first names the checkpoint
        if not agreed and world.reports():
            raise
        return 2 if isinstance(error, UserError) else getattr(error, "status", 1)


def _run(arguments: argparse.Namespace, world: World) -> int:
    config = options.load(arguments)
    if arguments.resume and arguments.out is None:
        raise UserError("--resume: name the run folder with --out")
    if arguments.extend and not arguments.resume:
        raise UserError("--extend: continues a run; write --resume too")
    from adframe.engine.memory import keep_freed_memory
    from adframe.engine.runner import run_locked
    from adframe.io.locks import lock_folder
    from adframe.io.terminal import error_line

    keep_freed_memory()
    first = not os.path.lexists(RUNS)
    out = arguments.out or next_folder(arguments.config.stem)
    try:
        with lock_folder(out) as lock:
            world.broadcast(str(out))
            report = run_locked(config, lock, arguments.resume, True, arguments.extend, world)
    except (ProcessLost, RankLost, Stopped) as stopped:  # the latter: Ctrl-C or SIGTERM
        saved, trust = out / "config.yaml", " --allow-code" if config.plugins else ""
        how = f"; continue with: adframe run {saved} --out {out} --resume{trust}"
        if world.reports():
            error_line(f"{str(stopped) or 'interrupted'}{how if saved.exists() else ''}")
        return 1 if isinstance(stopped, TrainingError) else getattr(stopped, "status", 130)
    except TrainingError as error:
        if world.reports():
            error_line(error)
        return 1
    finally:
        if arguments.out is None:
            with suppress(OSError):
                out.rmdir()  # of a run that never began
                if first:
                    RUNS.rmdir()
    return options.show_failures(report)


def _assist(arguments: argparse.Namespace, world: World) -> int:
    """Train with the first process, without a word."""
    logging.getLogger("adframe").disabled = True
    out = a_path(world.broadcast())  # the first process has accepted the config
    config = options.load(arguments)
    from adframe.engine.memory import keep_freed_memory
    from adframe.engine.runner import assist

    keep_freed_memory()
    assist(config, out, world)
    return 0


def next_folder(stem: str) -> Path:
    """Make the first folder ``runs/STEM-N`` that does not exist; two processes get different ones.

    Raises:
        UserError: no folder can be made here.
    """
    for number in count(1):
        path = RUNS / f"{stem}-{number}"
        try:
            path.parent.mkdir(exist_ok=True)
            path.mkdir()
        except FileExistsError:
            if path.parent.is_dir():
                continue
            raise UserError(f"{path.parent}: is not a folder; choose --out") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be made: {error.strerror}; choose --out") from error
        return path
    raise AssertionError("numbers have no end")
