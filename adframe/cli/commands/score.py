"""``adframe score``: anomaly scores of image files, as CSV."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from adframe.cli import options
from adframe.errors import UserError
from adframe.io.paths import a_path

summary = "score image files with a run's detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN, PATH and ``--out``."""
    options.run_folder(parser)
    parser.add_argument("paths", nargs="+", type=a_path, metavar="PATH", help="images or folders")
    parser.add_argument("--out", type=a_path, metavar="FILE", help="write the CSV here")


def run(arguments: argparse.Namespace) -> int:
    """Write path and score of each readable image; returns 2 if an image is unreadable."""
    from adframe.data.decode import ImageError
    from adframe.data.find import find_images
    from adframe.detector import load
    from adframe.io.rows import RowWriter, open_rows
    from adframe.io.terminal import error_line

    _check_out(arguments)
    with open_rows(arguments.out) as out:
        files = find_images(arguments.paths)
        if not files:
            raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
        _check_images(arguments.out, files)
        detector = load(arguments.run, **options.of_plugins(arguments))
        unreadable = 0
        writer = RowWriter(out)
        writer.writerow(["path", "score"])
        for file, result in detector.score_files(files):
            if isinstance(result, ImageError):
                error_line(result)
                unreadable += 1
            else:
                writer.writerow([file, result])
                out.flush()
    if unreadable:
        error_line(f"{unreadable} of {len(files)} files could not be read")
    return 2 if unreadable else 0


def _check_out(arguments: argparse.Namespace) -> None:
    """Refuse an output that would replace a file of the run.

    Raises:
        UserError: it would.
    """
    if arguments.out is None:
        return
    out = os.path.realpath(arguments.out)
    run_folder = os.path.realpath(arguments.run)
    is_run = os.path.isfile(os.path.join(run_folder, "config.yaml"))  # else that is the error
    if os.path.isfile(out) and is_run and os.path.dirname(out) == run_folder:
        raise UserError(f"{arguments.out}: is a file of the run; choose another --out")


def _check_images(out: Path | None, files: Iterable[Path]) -> None:
    """Refuse an output that would replace an image to score, also through a link.

    Raises:
        UserError: it would.
    """
    if out is None or not os.path.isfile(out):
        return
    target = os.stat(out)
    for file in files:
        with suppress(OSError, ValueError):  # an unreadable file is reported when it is opened
            if os.path.samestat(os.stat(file), target):
                raise UserError(f"{out}: is an image to score, {file}; choose another --out")
