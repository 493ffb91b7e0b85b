"""``adframe score``: anomaly scores of image files, as CSV."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from adframe.cli import options
from adframe.errors import UserError

summary = "score image files with a run's detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN, PATH and ``--out``."""
    options.run_folder(parser)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="images or folders")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the CSV here")


def run(arguments: argparse.Namespace) -> int:
    """Write path and score of each readable image; returns 2 if an image is unreadable."""
    from adframe.data.decode import ImageError
    from adframe.data.find import find_images
    from adframe.detector import load
    from adframe.io.terminal import error_line

    files = find_images(arguments.paths)
    if not files:
        raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
    unreadable = 0
    with _open(arguments.out) as out:
        detector = load(arguments.run, **options.of_plugins(arguments))
        writer = csv.writer(out, lineterminator="\n")
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


@contextmanager
def _open(path: Path | None) -> Iterator[TextIO]:
    """Open the output: standard output, or a file that is renamed when it is complete.

    Until then it is called ``FILE.part``. Rows written before an interrupt or an error stay there.
    A pipe or a device is written as it is.

    Raises:
        UserError: the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    regular = os.path.isfile(path) or not os.path.exists(path)  # else a pipe or a device
    path = Path(os.path.realpath(path)) if regular else path  # a link stays a link
    part, started = path.with_name(path.name + ".part") if regular else path, True
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            try:
                yield file
            finally:
                started = not regular or file.tell() > 0
        if regular:
            part.replace(path)
    except BaseException as error:
        if regular and os.path.exists(part) and not started:
            part.unlink()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
