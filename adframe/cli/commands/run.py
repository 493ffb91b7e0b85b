"""``adframe run``: train and evaluate a run from a config."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from itertools import count
from pathlib import Path

from adframe.cli import options
from adframe.errors import ProcessLost, Stopped, TrainingError, UserError
from adframe.io.paths import a_path

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
    """Train and evaluate; returns 1 if it or a scorer fails, 130 or 143 if it is interrupted."""
    config = options.load(arguments)
    if arguments.resume and arguments.out is None:
        raise UserError("--resume: name the run folder with --out")
    if arguments.extend and not arguments.resume:
        raise UserError("--extend: continues a run; write --resume too")
    from adframe.engine.memory import keep_freed_memory
    from adframe.engine.runner import run as train_and_evaluate
    from adframe.io.terminal import error_line

    keep_freed_memory()
    first = not os.path.lexists(RUNS)
    out = arguments.out or next_folder(arguments.config.stem)
    try:
        report = train_and_evaluate(
            config, out, arguments.resume, verbose=True, extend=arguments.extend
        )
    except (ProcessLost, Stopped) as stopped:  # the latter: Ctrl-C or SIGTERM
        saved, trust = out / "config.yaml", " --allow-code" if config.plugins else ""
        how = f"; continue with: adframe run {saved} --out {out} --resume{trust}"
        error_line(f"{str(stopped) or 'interrupted'}{how if saved.exists() else ''}")
        lost = isinstance(stopped, ProcessLost)
        return 1 if lost else getattr(stopped, "status", 130)
    except TrainingError as error:
        error_line(error)
        return 1
    finally:
        if arguments.out is None:
            with suppress(OSError):
                out.rmdir()  # of a run that never began
                if first:
                    RUNS.rmdir()
    return options.show_failures(report)


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
