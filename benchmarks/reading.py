"""The start of a run on many small JPEG files, against Pillow in a loop.

The files are 32x32 pixels, at quality 95, in folders of a thousand. ``found`` lists them, ``read``
brings them into memory, ``cache`` writes a cache file, and ``cache, again`` is the second start:
listed, opened, and digests of all pixels. Pillow reads the same files in the same order.

    python benchmarks/reading.py [--quick]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pairs
import torch
from PIL import Image

from adframe.data.find import find_images
from adframe.data.lazy import image_digests
from adframe.data.load import open_images, read_images

IN_A_FOLDER = 1000


def write(folder: Path, count: int) -> None:
    """Writes smooth random images."""
    generator = np.random.default_rng(0)
    for number in range(count):
        place = folder / str(number // IN_A_FOLDER)
        place.mkdir(exist_ok=True)
        small = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.resize((32, 32)).save(place / f"{number:06}.jpg", quality=95)


def by_pillow(files: list[Path]) -> torch.Tensor:
    """(N, 3, H, W) uint8 pixels, read one file after another."""
    found = []
    for file in files:
        with Image.open(file) as image:
            found.append(np.asarray(image.convert("RGB")))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).contiguous()


def main() -> None:
    """Measures and prints the table."""
    quick = pairs.arguments(__doc__).quick
    count = 2000 if quick else 20_000
    with tempfile.TemporaryDirectory() as images, tempfile.TemporaryDirectory() as cache:
        write(Path(images), count)
        files = find_images(images)
        assert torch.equal(by_pillow(files[:100]), read_images(files[:100]))

        def build() -> None:
            for file in Path(cache).iterdir():
                file.unlink()
            open_images(files, cache=cache)

        contenders = {
            "Pillow": lambda: by_pillow(files),
            "found": lambda: find_images(images),
            "read": lambda: read_images(files),
            "cache": build,
            "cache, again": lambda: image_digests(open_images(find_images(images), cache=cache)[0]),
        }
        cpu = pairs.seconds(contenders, 2)
    rows = [[f"{count} files, {name}", of, cpu["Pillow"] / of] for name, of in cpu.items()]
    pairs.table(["step", "CPU s", "times faster than Pillow"], rows)


if __name__ == "__main__":
    main()
