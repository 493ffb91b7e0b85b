"""``adframe score``: images in, anomaly scores out."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from adframe.data.decode import ImageError, find_images
from adframe.detector import load
from adframe.errors import UserError


def score(arguments: argparse.Namespace) -> int:
    """Write path and score of each readable image; name the others, go on, and end with 2."""
    files = find_images(arguments.paths)
    if not files:
        raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
    unreadable = 0
    with _open(arguments.out) as out:
        detector = load(
            arguments.run,
            plugins=arguments.plugin,
            without=arguments.without,
            allow_code=arguments.allow_code,
        )
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["path", "score"])
        for file, result in detector.score_files(files):
            if isinstance(result, ImageError):
                print(result, file=sys.stderr)
                unreadable += 1
            else:
                writer.writerow([file, result])
                out.flush()
    if unreadable:
        print(f"{unreadable} of {len(files)} files could not be read", file=sys.stderr)
    return 2 if unreadable else 0


@contextmanager
def _open(path: Path | None) -> Iterator[TextIO]:
    """The terminal, or a file that gets its name once it is complete.

    Until then it is called ``FILE.part``. Rows written before an interrupt or an error stay there.

    Raises:
        UserError: the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    part, started = path.with_name(path.name + ".part"), True
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            try:
                yield file
            finally:
                started = file.tell() > 0
        part.replace(path)
    except BaseException as error:
        if part.exists() and not started:
            part.unlink()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
