"""``adframe export``: a detector as one file for another runtime."""

from __future__ import annotations

import argparse

from adframe.cli import options
from adframe.io.paths import a_path

summary = "write a detector as one ONNX or torch file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN, ``--to``, ``--out``, ``--check`` and ``--pixels``."""
    options.run_folder(parser)
    parser.add_argument("--to", choices=("onnx", "torch"), default="onnx", help="format (onnx)")
    parser.add_argument("--out", type=a_path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--check", type=a_path, nargs="+", metavar="PATH",
        help="images or folders to compare on (test images of the run)",
    )  # fmt: skip
    parser.add_argument(
        "--pixels", choices=("uint8", "float32"), default="uint8",
        help="type of the input: 0..255 or 0..1 (uint8)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Export, and print how the scores of the file compare with those of the run."""
    from adframe.data.find import find_images
    from adframe.detector import load
    from adframe.detector.export import export
    from adframe.io.terminal import Screen

    detector = load(arguments.run, **options.of_plugins(arguments))
    images = None if arguments.check is None else find_images(arguments.check)
    parity = export(detector, arguments.out, arguments.to, images, arguments.pixels)
    decided = ""
    if parity.disagreements is not None:
        decided = f", {parity.disagreements} other decisions"
    Screen().line(
        f"{arguments.out}: compared on {parity.images} images: "
        f"scores differ by at most {parity.difference:.1e}{decided}"
    )
    return 0
