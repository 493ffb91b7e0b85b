"""Peak memory of a whole run on large images, in both precisions, with and without ``recompute``.

UniCon-HA at a quarter of the width, a batch of 8 images, one step, and its evaluation. Each row is
one ``adframe run`` on random images; the images themselves take little. CPU seconds are
those of the whole run, on one thread.

    python benchmarks/run_memory.py [--side 256] [--precision fp32 bf16] [--recompute null false]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

MEASURED = """
import resource, sys
from adframe.cli.main import main
status = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print("MEASURED", status, used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime)
"""
SETTINGS = [
    "backbone.width=0.25",
    "scorer={name: nearest_cosine, views: 1}",
    "train={epochs: 1, batch_size: 8, checkpoint_every: 1}",
]


def make_up(folder: Path, side: int) -> None:
    """Writes eight images to train on, and two of each kind to test."""
    draw = np.random.default_rng(0)
    for part, count in {"train/good": 8, "test/good": 2, "test/bad": 2}.items():
        (folder / part).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / part / f"{number}.png")


def measured(folder: Path, precision: str, recompute: str) -> list[str]:
    """GiB at the peak and CPU seconds of one run."""
    with tempfile.TemporaryDirectory() as out:
        root = f"dataset={{name: image_folder, root: '{folder}/train', test_root: '{folder}/test'"
        settings = [
            *SETTINGS,
            f"{root}, normal: good}}",
            f"train.precision={precision}",
            f"backbone.recompute={recompute}",
        ]
        given = [part for setting in settings for part in ("--set", setting)]
        argv = ["run", "unicon_ha/cifar10", "--out", f"{out}/run", *given]
        command = [sys.executable, "-W", "ignore", "-c", MEASURED, *argv]
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=one)
    line = next((line for line in done.stdout.splitlines() if line.startswith("MEASURED 0")), None)
    if line is None:
        return ["failed", done.stderr.strip().splitlines()[-1] if done.stderr else "-"]
    _, _, peak, seconds = line.split()
    return [f"{float(peak):.2f}", f"{float(seconds):.0f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=256, help="pixels (256)")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--recompute", nargs="+", default=["null", "false"])
    given = parser.parse_args()
    print("| precision | recompute | GiB at the peak | CPU s |\n|---|---|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        make_up(Path(folder), given.side)
        for precision in given.precision:
            for recompute in given.recompute:
                found = measured(Path(folder), precision, recompute)
                print(f"| {precision} | {recompute} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
