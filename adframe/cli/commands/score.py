"""``adframe score``: images in, anomaly scores out."""

from __future__ import annotations

import argparse
import csv
import io
import sys

from adframe.data.decode import ImageError, find_images, read_image
from adframe.detector import load
from adframe.errors import UserError
from adframe.io.atomic import write

BLOCK = 256  # files decoded before they are scored; memory does not grow with their number


def score(arguments: argparse.Namespace) -> int:
    """Write path and score of every readable image; name the others, go on, and end with 2."""
    files = find_images(arguments.paths)
    if not files:
        raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
    detector = load(
        arguments.run,
        plugins=arguments.plugin,
        without=arguments.without,
        allow_code=arguments.allow_code,
    )
    rows, unreadable = [], 0
    for start in range(0, len(files), BLOCK):
        readable = []
        for file in files[start : start + BLOCK]:
            try:
                readable.append((file, read_image(file, detector.size[1])))
            except ImageError as error:
                print(error, file=sys.stderr)
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
        print(f"{unreadable} of {len(files)} files could not be read", file=sys.stderr)
    return 2 if unreadable else 0
