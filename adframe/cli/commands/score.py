"""``adframe score``: images in, anomaly scores out."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from adframe.cli import options
from adframe.errors import UserError

BLOCK = 256  # files decoded before they are scored; memory does not grow with their number
summary = "score image files with a run's detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN, images or folders, and where to write."""
    options.run_folder(parser)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="images or folders")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the CSV here")


def run(arguments: argparse.Namespace) -> int:
    """Write path and score of each readable image; 2 if some are not readable."""
    from adframe.data.decode import ImageError, find_images, read_image
    from adframe.detector import load
    from adframe.io.atomic import write
    from adframe.io.terminal import error_line

    files = find_images(arguments.paths)
    if not files:
        raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
    detector = load(arguments.run, **options.of_plugins(arguments))
    rows, unreadable = [], 0
    for start in range(0, len(files), BLOCK):
        readable = []
        for file in files[start : start + BLOCK]:
            try:
                readable.append((file, read_image(file, detector.size[1])))
            except ImageError as error:
                error_line(error)
                unreadable += 1
        if readable:
            import torch

            pixels = torch.stack([image for _, image in readable]).permute(0, 2, 3, 1)
            scores = detector.score(pixels).tolist()
            rows += [(str(f), s) for (f, _), s in zip(readable, scores, strict=True)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "score"])
    writer.writerows(rows)
    if arguments.out is None:
        sys.stdout.write(stream.getvalue())
    else:
        write(arguments.out, stream.getvalue())
    if unreadable:
        error_line(f"{unreadable} of {len(files)} files could not be read")
    return 2 if unreadable else 0
