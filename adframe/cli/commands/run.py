"""``adframe run``: train and evaluate a run from a config."""

from __future__ import annotations

import argparse
from pathlib import Path

from adframe.cli import options
from adframe.errors import TrainingError, UserError

summary = "train and evaluate a run from a config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare CONFIG, ``--out`` and ``--resume``."""
    options.config(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (runs/NAME-N)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")


def run(arguments: argparse.Namespace) -> int:
    """Train and evaluate; returns 1 if it or a scorer fails, 130 or 143 if it is interrupted."""
    from adframe.config.model import load_config

    config = load_config(arguments.config, arguments.set, **options.of_plugins(arguments))
    if arguments.resume and arguments.out is None:
        raise UserError("--resume: name the run folder with --out")
    out = arguments.out or _next_folder(arguments.config.stem)

    from adframe.engine.memory import keep_freed_memory
    from adframe.engine.runner import run as train_and_evaluate
    from adframe.io.terminal import error_line

    keep_freed_memory()
    try:
        report = train_and_evaluate(config, out, arguments.resume, verbose=True)
    except TrainingError as error:
        error_line(error)
        return 1
    except KeyboardInterrupt as stopped:  # Ctrl-C or SIGTERM
        saved, trust = out / "config.yaml", " --allow-code" if config.plugins else ""
        how = f"; continue with: adframe run {saved} --out {out} --resume{trust}"
        error_line(f"{str(stopped) or 'interrupted'}{how if saved.exists() else ''}")
        return getattr(stopped, "status", 130)
    return options.show_failures(report)


def _next_folder(stem: str) -> Path:
    taken = (Path("runs") / f"{stem}-{number}" for number in range(1, 1_000_000))
    return next(path for path in taken if not path.exists())
