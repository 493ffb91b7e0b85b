"""``adframe report``: finished runs as one HTML file."""

from __future__ import annotations

import argparse

from adframe.cli import options
from adframe.io.paths import a_path

summary = "write a report of runs as one HTML file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN and ``--out``."""
    parser.add_argument("runs", nargs="+", type=a_path, metavar="RUN", help="finished run folders")
    parser.add_argument("--out", type=a_path, metavar="FILE", help="RUN/report.html")
    options.allow_code(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the report."""
    from adframe.io.terminal import Screen
    from adframe.reports.page import report

    path = report(arguments.runs, arguments.out, **options.of_plugins(arguments))
    Screen().line(f"wrote {path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0
