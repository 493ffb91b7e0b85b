"""``adframe evaluate``: score the test images of a finished run again."""

from __future__ import annotations

import argparse

from adframe.cli import options
from adframe.errors import UserError
from adframe.io.paths import a_path

summary = "score a run's test images again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN, ``--verify`` and ``--out``."""
    options.run_folder(parser)
    options.settings(parser)
    parser.add_argument(
        "--verify", action="store_true", help="compare only; exit status 1 if a score differs"
    )
    parser.add_argument(
        "--out",
        type=a_path,
        metavar="DIR",
        help="a new run folder, for other scorers, metrics or data (--set) on the same network",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate a run from its saved model; returns 1 if a scorer fails, or a score differs."""
    known = {"settings": arguments.set, **options.of_plugins(arguments)}
    if arguments.out is not None:
        if arguments.verify:
            raise UserError("--verify writes nothing; remove --out")
        from adframe.engine.reuse import evaluate_into

        report = evaluate_into(arguments.run, arguments.out, **known, verbose=True)
        return options.show_failures(report)
    if not arguments.verify:
        from adframe.engine.runner import evaluate_folder

        report = evaluate_folder(arguments.run, **known, verbose=True)
        return options.show_failures(report)

    from adframe.engine.verify import verify
    from adframe.io.terminal import Screen, error_line

    difference = verify(arguments.run, **known)
    if difference:
        error_line(difference)
        return 1
    Screen().line(f"{arguments.run}: scored again, every score is the stored one")
    return 0
