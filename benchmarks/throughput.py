"""Scoring files and single images, against the bare forward passes of the same network.

The bare passes are those of the network as it was trained, on decoded images in memory, 256 images
of 32x32 or 16 of 224x224 at a time, in ``torch.inference_mode``. Scoring reads JPEG files, and
compares with a bank of training images. ``10 views`` are the paper's test-time views: 10 passes for
each image. The weights and the images are random.

    python benchmarks/throughput.py [--quick]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pairs
import torch
from PIL import Image

import adframe
from adframe.detector.detector import Detector
from adframe.engine.build import assemble
from adframe.ops.image import to_float

PIXELS_PER_PASS = 256 * 32 * 32
FITTED = 16  # images of the bank


def detector_of(side: int, scorer: str) -> Detector:
    """A detector with random weights: a quarter of the width for small images, else all of it."""
    shape = ["backbone.width=0.25"] if side < 64 else ["backbone.width=1", "backbone.stem=large"]
    config = adframe.load_config("quickstart", [*shape, f"scorer={scorer}", "decision=null"])
    assembly = assemble(config, image_size=(side, side))
    assembly.method.to(memory_format=torch.channels_last).eval()
    facts = {"image_size": [3, side, side], "classes": ["inlier"]}
    return Detector(config, assembly, facts).fit(noise(FITTED, side))


def noise(count: int, side: int) -> np.ndarray:
    """Smooth random images (N, H, W, 3), uint8."""
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((side, side))) for each in small])


def bare(detector: Detector, images: np.ndarray) -> Callable[[], None]:
    """The forward passes of the network as it was trained, on images in memory."""
    side = images.shape[1]
    pixels = to_float(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    batches = [
        part.contiguous(memory_format=torch.channels_last)
        for part in pixels.split(PIXELS_PER_PASS // side**2)
    ]

    @torch.inference_mode()
    def run() -> None:
        for batch in batches:
            detector.method.embed_only(batch, ["features"])

    return run


def times(count: int, score: Callable[[np.ndarray], object], image: np.ndarray) -> None:
    """Scores one image that many times."""
    for _ in range(count):
        score(image)


def throughput(side: int, count: int, rounds: int, folder: Path) -> Iterable[list[str | float]]:
    """Rows of the table: CPU ms of an image, and the share of the bare passes' rate."""
    images = noise(count, side)
    files = [folder / f"{side}-{number}.jpg" for number in range(count)]
    for image, file in zip(images, files, strict=True):
        Image.fromarray(image).save(file, quality=90)
    plain, views = detector_of(side, "knn"), None
    quick, again = plain.quick(), max(4, count // 16)
    one = bare(plain, images[:1])
    contenders = {
        "bare passes": bare(plain, images),
        "score files": lambda: plain.score(files),
        "score pixels": lambda: plain.score(images),
        "one image: bare pass": lambda: [one() for _ in range(again)],
        "one image: quick().score": lambda: times(again, quick.score, images[0]),
        "one image: score": lambda: times(again, plain.score, images[0]),
    }
    if side < 64:
        crop = (
            "{name: simclr, scale: [0.54, 0.54], jitter_probability: 0, grayscale_probability: 0}"
        )
        views = detector_of(side, f"{{name: nearest_cosine, views: 10, augmentation: {crop}}}")
        contenders["score files, 10 views"] = lambda: views.score(files[: count // 4])
        contenders["one image: score, 10 views"] = lambda: times(again, views.score, images[0])
    cpu = pairs.seconds(contenders, rounds)
    for name, seconds in cpu.items():
        single = name.startswith("one image")
        passes = 10 if name.endswith("10 views") else 1
        scored = again if single else count // 4 if passes > 1 else count
        of = cpu["one image: bare pass"] / again if single else cpu["bare passes"] / count
        each = seconds / scored
        yield [f"{side}x{side}, {name}", 1000 * each, f"{100 * passes * of / each:.0f} %"]


def main() -> None:
    """Measures and prints the table."""
    quick = pairs.arguments(__doc__).quick
    sizes = {32: 256, 224: 8} if quick else {32: 512, 224: 32}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for side, count in sizes.items():
            rows += throughput(side, count, 2 if quick else 4, Path(folder))
    pairs.table(["scoring", "CPU ms an image", "rate of bare passes"], rows)


if __name__ == "__main__":
    main()
