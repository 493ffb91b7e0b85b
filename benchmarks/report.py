"""Size and time of the report of a run with many test images.

    python benchmarks/report.py [--images 2000] [--side 256]

Writes photographs of noise, compares them without training, and prints the megabytes of
``report.html``, and the seconds that it took, of the CPU and by the clock.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

import adframe

TRAINED = 100
CONFIG = """
dataset: {{name: image_folder, root: {root}/train, test_root: {root}/test, normal: good, size: 32}}
backbone: edge_filters
objective: [{{loss: nt_xent}}]
scorer: [{{name: nearest_grid, grid: 8}}, nearest_cosine]
metrics: [average_precision, best_f1, fpr]
decision: {{false_alarms: 0.05, calibration: 0.3}}
train: {{epochs: 0, device: cpu}}
"""


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000, help="for testing, half of them odd")
    parser.add_argument("--side", type=int, default=256, help="pixels of their sides")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        half = arguments.images // 2
        for folder, count in {"train/good": TRAINED, "test/good": half, "test/odd": half}.items():
            write(root / folder, count, arguments.side)
        (root / "config.yaml").write_text(CONFIG.format(root=root))
        adframe.run(adframe.load_config(root / "config.yaml"), root / "run")
        clock, used = time.monotonic(), time.process_time()
        path = adframe.report(root / "run")
        clock, used = time.monotonic() - clock, time.process_time() - used
        megabytes = path.stat().st_size / 1e6
    print("| test images | MB | CPU s | s |")
    print("|--:|--:|--:|--:|")
    print(f"| {arguments.images} | {megabytes:.2f} | {used:.1f} | {clock:.1f} |")


def write(folder: Path, count: int, side: int) -> None:
    """Write photographs: smooth noise, brighter if they are odd."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(crc32(f"{folder.parent.name}/{folder.name}".encode()))
    for index in range(count):
        small = draw.integers(0, 200 + 40 * (folder.name == "odd"), (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
        image.save(folder / f"{index:05d}.jpg", quality=85)


if __name__ == "__main__":
    main()
