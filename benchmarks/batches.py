"""Batches of decoded images from memory against a DataLoader that opens files with PIL.

A batch has 256 images of 32x32, from JPEG files that this script writes to a temporary folder.
Prints CPU milliseconds per batch, best of interleaved rounds. The DataLoader has no workers,
because CPU seconds of this process are counted.

- ``memory``: what the training loop does: a uint8 tensor of all images and ``index_select``.
- ``x[rows]``: the same by indexing.
- ``memory map``: as ``memory``, but the tensor is the file of a data set's ``cache``. The file is
  in the page cache after its first use.
- ``decoding``: reading the files once. Files as small as these are decoded without threads.
- ``decoding, threads``: the same with threads.

The second table is for images that fit neither memory nor disk: adframe's ``workers``, which decode
images when they are needed, against a PIL DataLoader with as many processes. Other processes do the
work, so it counts the wall clock, and other work on the machine is included. Both ways of decoding
are repeated there.

    python benchmarks/batches.py [--quick]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pairs
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2.functional import pil_to_tensor

import adframe
from adframe.data import ahead
from adframe.data.lazy import iter_batches

BATCH = 256
WORKERS = 2


class Files(Dataset[torch.Tensor]):
    """An ordinary PyTorch data set of image files."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index], formats=["JPEG"]) as image:
            return pil_to_tensor(image.convert("RGB"))


def write(folder: Path, count: int) -> list[Path]:
    """Writes smooth random images as JPEG files."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = (F.interpolate(coarse, size=(32, 32), mode="bilinear") * 255).byte()
    paths = [folder / f"{index:05d}.jpg" for index in range(count)]
    for path, image in zip(paths, smooth, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path, quality=75)
    return paths


def by_threads(paths: list[Path]) -> torch.Tensor:
    """``read_images`` with the threads that it uses for files that are not tiny."""
    tiny, ahead.TINY = ahead.TINY, 0
    try:
        return adframe.read_images(paths)
    finally:
        ahead.TINY = tiny


def main() -> None:
    """Compares and prints the tables."""
    quick = pairs.arguments(__doc__).quick
    batches, rounds = (4, 2) if quick else (10, 3)
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), BATCH * batches)
        loader = DataLoader(Files(paths), BATCH, shuffle=True)
        pixels = adframe.read_images(paths)
        mapped, _ = adframe.open_images(paths, cache=Path(folder) / "cache")
        order = torch.randperm(len(pixels)).split(BATCH)
        files, _ = adframe.open_images(paths, workers=WORKERS)
        cpu = pairs.seconds(
            {
                "PIL DataLoader": lambda: [len(batch) for batch in loader],
                "x[rows]": lambda: [len(pixels[rows]) for rows in order],
                "memory": lambda: [len(pixels.index_select(0, rows)) for rows in order],
                "memory map": lambda: [len(mapped.index_select(0, rows)) for rows in order],
                "decoding": lambda: adframe.read_images(paths),
                "decoding, threads": lambda: by_threads(paths),
            },
            rounds,
        )
        several = DataLoader(Files(paths), BATCH, shuffle=True, num_workers=WORKERS)
        wall = pairs.seconds(
            {
                f"PIL DataLoader, {WORKERS} processes": lambda: [len(batch) for batch in several],
                f"workers, {WORKERS} processes": lambda: [
                    len(each) for each in iter_batches(files, order)
                ],
                "decoding": lambda: adframe.read_images(paths),
                "decoding, threads": lambda: by_threads(paths),
            },
            rounds,
            time.perf_counter,
        )
    for clock, taken in {"CPU ms": cpu, "ms, wall clock": wall}.items():
        first = next(iter(taken.values()))
        rows = [[name, 1000 * value / batches, first / value] for name, value in taken.items()]
        pairs.table(["batch from", clock, "times faster"], rows)
        print()


if __name__ == "__main__":
    main()
