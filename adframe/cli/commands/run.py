"""``adframe run``, ``check`` and ``evaluate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from adframe.config.model import RunConfig, load_config
from adframe.errors import UserError


def _config(arguments: argparse.Namespace) -> RunConfig:
    return load_config(
        arguments.config,
        arguments.set,
        plugins=arguments.plugin,
        without=arguments.without,
        allow_code=arguments.allow_code,
    )


def run(arguments: argparse.Namespace) -> int:
    """Train and evaluate."""
    config = _config(arguments)
    if arguments.resume and arguments.out is None:
        raise UserError("--resume: name the run folder with --out")
    out = arguments.out or _next_folder(arguments.config.stem)

    from adframe.engine.runner import run as train_and_evaluate
    from adframe.errors import TrainingError

    _keep_freed_memory()
    try:
        train_and_evaluate(config, out, arguments.resume, verbose=True)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt as stopped:  # Ctrl-C or SIGTERM
        saved, trust = out / "config.yaml", " --allow-code" if config.plugins else ""
        how = f"; go on with: adframe run {saved} --out {out} --resume{trust}"
        how = how if saved.exists() else ""
        print(f"{str(stopped) or 'interrupted'}{how}", file=sys.stderr)
        return getattr(stopped, "status", 130)
    return 0


def _keep_freed_memory() -> None:
    """Let glibc reuse the large blocks a step frees, in place of asking the kernel for them anew.

    On a CPU those page faults are a fifth of a training step (`benchmarks/memory.py`). Only for
    this process, which does nothing else; elsewhere than on glibc nothing happens.
    """
    import ctypes

    trim_threshold, mmap_max = -1, -4  # of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, (1 << 31) - 1)


def _next_folder(stem: str) -> Path:
    taken = (Path("runs") / f"{stem}-{number}" for number in range(1, 1_000_000))
    return next(path for path in taken if not path.exists())


def check(arguments: argparse.Namespace) -> int:
    """Validate a config and assemble its components, without reading any data."""
    config = _config(arguments)

    from adframe.engine.build import assemble

    assemble(config)
    if arguments.resolved:
        from adframe.config.resolved import resolved

        print(resolved(config), end="")
        return 0
    print(f"{arguments.config}: ok")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Score a finished run's test images again, from its saved model."""
    options = {
        "plugins": arguments.plugin,
        "without": arguments.without,
        "allow_code": arguments.allow_code,
    }
    if arguments.verify:
        from adframe.engine.verify import verify

        difference = verify(arguments.run, **options)
        if difference:
            print(difference, file=sys.stderr)
            return 1
        print(f"{arguments.run}: scored again, every score is the stored one")
        return 0

    from adframe.engine.runner import evaluate_folder

    evaluate_folder(arguments.run, **options, verbose=True)
    return 0
