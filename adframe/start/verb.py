"""``adframe init``: a first config for a folder of images."""

from __future__ import annotations

import argparse

from adframe.io.paths import a_path

summary = "examine a folder of images and write a config for it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FOLDER, ``--out``, ``--normal``, ``--minutes`` and ``--recipe``."""
    parser.add_argument("folder", type=a_path, metavar="FOLDER", help="images, or a table of them")
    parser.add_argument("--out", type=a_path, metavar="CONFIG", help="the config (FOLDER.yaml)")
    parser.add_argument("--normal", metavar="CLASS", help="the normal class (good, ok, ...)")
    parser.add_argument(
        "--minutes", type=float, default=15.0, metavar="N", help="how long the run may take (15)"
    )
    parser.add_argument(
        "--recipe", choices=("auto", "compare", "train"), default="auto",
        help="compare images, train a network, or decide by the normal images (auto)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print what was found, write the config, and print how to run it."""
    from adframe.io.terminal import Screen
    from adframe.start.budget import in_words
    from adframe.start.first_config import find, write

    screen = Screen()
    found = find(arguments.folder, arguments.normal)
    for line in found.lines():
        head, colon, text = line.partition(": ")
        screen.line(text, head=head + colon)
    written = write(found, arguments.out, arguments.minutes, arguments.recipe)
    time = in_words(written.seconds)
    work = f"{written.epochs} epochs" if written.epochs else "nothing to train"
    screen.line(f"wrote {written.out}: {work}, {time} on this machine")
    for command in written.commands:
        screen.line(command, head="next: ")
    return 0
