"""``adframe score --on``: scores in shards, and shows how far it is."""

from __future__ import annotations

import argparse
import sys

from adframe.cli import options
from adframe.errors import Stopped, UserError
from adframe.io.terminal import Screen, error_line, stopped_line
from adframe.jobs.executors import executor
from adframe.shards.plan import SHARD
from adframe.shards.scoring import score_shards


def score_in_shards(arguments: argparse.Namespace) -> int:
    """Score by an executor, in shards; returns 2 if an image is unreadable.

    Raises:
        UserError: the arguments do not fit, or as for ``score_shards``.
    """
    if arguments.on is None:
        raise UserError("--shard and --format: belong to --on")
    if arguments.out is None or arguments.maps is not None or arguments.explain:
        raise UserError("--on: writes into a folder, --out DIR, without --maps and --explain")
    size = SHARD if arguments.shard is None else arguments.shard
    if size < 1:
        raise UserError("--shard: at least 1")
    screen = Screen(sys.stderr)
    try:
        found = score_shards(
            arguments.run, arguments.paths, arguments.out, executor(arguments.on), size,
            arguments.format or "csv", screen.line, **options.of_plugins(arguments),
        )  # fmt: skip
    except Stopped as stopped:
        return stopped_line(stopped)
    screen.line(f"written: {found.path}")
    if found.unreadable:
        error_line(
            f"{found.unreadable} of {found.images} files could not be read: {found.unreadable_path}"
        )
    return 2 if found.unreadable else 0
