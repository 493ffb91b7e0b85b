"""Batches of decoded images from memory against a DataLoader that opens files with PIL.

256 images of 32x32 a batch, from JPEG files that this makes in a temporary folder; the DataLoader
has no workers, since CPU seconds are counted. ``memory`` is what the training loop does: a uint8
tensor of all images and ``index_select``. ``x[rows]`` is the same by indexing. ``memory map`` is
``memory`` where the tensor is a data set's ``cache``, a file that is in the page cache after its
first use. CPU milliseconds a batch, best of interleaved rounds; ``decoding`` is what reading the
files once costs, which these tiny ones are without threads, and ``decoding, threads`` what it
would with them.

The second table is for what fits nowhere: adframe's ``workers``, which decode while they are
needed, beside a PIL DataLoader with as many. It is by the wall clock, since the work is done by
other processes; so other work on the machine is in it. Both ways of decoding are there again.

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
from adframe.data import decode
from adframe.data.lazy import feed

BATCH = 256
WORKERS = 2


class Files(Dataset[torch.Tensor]):
    """The usual data set of image files."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as image:
            return pil_to_tensor(image.convert("RGB"))


def write(folder: Path, count: int) -> list[Path]:
    """Smooth random images as JPEG files."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = (F.interpolate(coarse, size=(32, 32), mode="bilinear") * 255).byte()
    paths = [folder / f"{index:05d}.jpg" for index in range(count)]
    for path, image in zip(paths, smooth, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path, quality=75)
    return paths


def by_threads(paths: list[Path]) -> torch.Tensor:
    """``read_images`` as it reads files that are not tiny."""
    tiny, decode.TINY = decode.TINY, 0
    try:
        return adframe.read_images(paths)
    finally:
        decode.TINY = tiny


def main() -> None:
    """Compare and print the table."""
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
                f"workers, {WORKERS} processes": lambda: [len(each) for each in feed(files, order)],
                "decoding": lambda: adframe.read_images(paths),
                "decoding, threads": lambda: by_threads(paths),
            },
            rounds,
            time.perf_counter,
        )
    for clock, taken in {"CPU ms": cpu, "ms by the wall": wall}.items():
        first = next(iter(taken.values()))
        rows = [[name, 1000 * value / batches, first / value] for name, value in taken.items()]
        pairs.table(["batch from", clock, "times faster"], rows)
        print()


if __name__ == "__main__":
    main()
