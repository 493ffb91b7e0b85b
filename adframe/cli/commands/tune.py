"""``adframe tune``: searches for the values of a config that are best on validation images."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adframe.cli import options
from adframe.errors import Stopped, UserError
from adframe.io.paths import a_path
from adframe.io.terminal import Screen, error_line, stopped_line
from adframe.tables.verb import on

if TYPE_CHECKING:
    from adframe.tune.study import Study

summary = "search for the values of a config that are best on validation images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare CONFIG, ``--space``, ``--trials``, ``--metric``, ``--on`` and ``--out``."""
    options.config(parser)
    parser.add_argument(
        "--space", type=a_path, required=True, metavar="FILE",
        help="YAML: KEY: {low, high, log, step} or KEY: {choices: [...]}",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="trials, also failed ones (20)"
    )
    parser.add_argument(
        "--metric", default="validation_auroc", metavar="NAME",
        help="a figure on validation images (validation_auroc)",
    )  # fmt: skip
    parser.add_argument(
        "--better", choices=["higher", "lower"], help="which values are better (the metric's)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the search (0)")
    parser.add_argument("--out", type=a_path, metavar="DIR", help="folder (runs/CONFIG-tune)")
    on(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the trials that are left, show all, and write the best config; 1 if none has a value."""
    from adframe.config.compose import read_config
    from adframe.config.model import RunConfig, validate_tree
    from adframe.engine.memory import keep_freed_memory
    from adframe.io.locks import lock_folder
    from adframe.jobs.executors import executor
    from adframe.tune import objective, search, space
    from adframe.tune.study import Study, import_optuna

    if arguments.trials < 1:
        raise UserError("--trials: at least 1")
    import_optuna()
    config = options.load(arguments)
    objective.check_objective(config, arguments.metric)
    tree, source = read_config(arguments.config, arguments.set)
    axes = space.read_space(arguments.space)

    def make(drawn: dict[str, object]) -> RunConfig:
        node = space.changed(tree, axes, drawn)
        return validate_tree(node, source, arguments.plugin, loaded=config.loaded)

    space.check_space(axes, make)
    facts = {
        "metric": arguments.metric,
        "better": arguments.better or objective.better(config, arguments.metric),
        "seed": arguments.seed,
        "space": space.plain(axes),
        "config": search.digest(config),
    }
    place = executor(arguments.on)
    keep_freed_memory()
    with lock_folder(arguments.out or Path("runs") / f"{arguments.config.stem}-tune") as lock:
        assert lock.folder is not None
        study = Study(lock.folder, axes, facts)
        try:
            search.search(study, make, arguments.trials, place, Screen(sys.stderr).line)
        except Stopped as stopped:  # Ctrl-C or SIGTERM
            return stopped_line(stopped)
        return _show(study, arguments.json)


def _show(study: Study, as_json: bool) -> int:
    from adframe.tables.screen import show_table
    from adframe.tune.search import BEST, rows_of

    if as_json:
        print(json.dumps(study.as_json(), indent=2))
    else:
        screen = Screen()
        show_table(screen, *rows_of(study))
        if study.best is not None:
            screen.line(f"* the best, by validation images only: {study.folder / BEST}")
    if study.best is None:
        error_line(f"no trial gave a value; the first: {study.trials[0].reason}")
        return 1
    return 0
