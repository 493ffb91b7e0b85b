"""``draft`` against full decoding of photographs: time, and what it changes in the pixels.

As a yardstick, the same full picture resized with other antialiasing filters of Pillow. Differences
are means of absolute values, of 255, against the pixels as they are read without ``draft``.

    python benchmarks/draft.py [--quick] [FILE...]

By default the two photographs of scikit-learn, 640x427.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import pairs
import torch
from PIL import Image

from adframe import read_images

FILTERS = {"hamming": Image.Resampling.HAMMING, "bicubic": Image.Resampling.BICUBIC}


def photographs() -> list[Path]:
    """The pictures that come with scikit-learn."""
    spec = importlib.util.find_spec("sklearn.datasets")
    assert spec is not None
    assert spec.origin is not None
    return sorted((Path(spec.origin).parent / "images").glob("*.jpg"))


def filtered(file: Path, side: int, by: Image.Resampling) -> torch.Tensor:
    """(1, 3, H, W) pixels of the central square, resized by another filter."""
    with Image.open(file) as image:
        wide, high = image.size
        least = min(wide, high)
        left, top = (wide - least) / 2, (high - least) / 2
        box = (left, top, left + least, top + least)
        small = image.convert("RGB").resize((side, side), by, box=box)
    data = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
    return data.view(1, side, side, 3).permute(0, 3, 1, 2)


def main() -> None:
    """Compares at each size and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    parser.add_argument("files", nargs="*", type=Path, help="JPEG files")
    given = parser.parse_args()
    rows: list[list[str | float]] = []
    for file in given.files or photographs():
        for side in (32, 64, 224):
            whole = read_images(file, side).float()
            work = {
                "whole": lambda f=file, s=side: read_images(f, s),
                "draft": lambda f=file, s=side: read_images(f, s, draft=True),
            }
            cpu = pairs.seconds(work, 3 if given.quick else 15)
            others = {name: filtered(file, side, by) for name, by in FILTERS.items()}
            others = {"draft": read_images(file, side, draft=True), **others}
            off = [float((other.float() - whole).abs().mean()) for other in others.values()]
            rows.append([f"{file.stem}, {side}", cpu["whole"] / cpu["draft"], *off])
    pairs.table(["picture, side", "times faster", "draft", *FILTERS], rows)


if __name__ == "__main__":
    main()
