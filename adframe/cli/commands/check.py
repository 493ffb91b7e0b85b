"""``adframe check``: validate a config without reading any data."""

from __future__ import annotations

import argparse

from adframe.cli import options

summary = "validate a config and its components"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare CONFIG and ``--resolved``."""
    options.config(parser)
    parser.add_argument(
        "--resolved", action="store_true", help="print the final config, each value with its origin"
    )


def run(arguments: argparse.Namespace) -> int:
    """Validate the config, build its components, and try them on images of the config's size."""
    config = options.load(arguments)
    from adframe.engine.build import assemble
    from adframe.engine.first_use import check_sizes
    from adframe.io.terminal import Screen

    check_sizes(assemble(config))
    if arguments.resolved:
        from adframe.config.resolved import resolved

        Screen().block(resolved(config).rstrip("\n"))
    else:
        Screen().line(f"{arguments.config}: ok")
    return 0
