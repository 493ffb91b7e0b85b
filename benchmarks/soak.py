"""Many short runs in one process: memory, open files and threads must not grow.

    python benchmarks/soak.py --runs 200

Each run is assembled, trained for one step, scored, written, loaded again, and scores an image.
Prints resident memory, open files and threads after a tenth of the runs and at the end. Ends with
status 1 if files or threads grew, or memory grew by over a tenth.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import adframe

BASE = Path(__file__).parents[1] / "configs/base/unicon_ha.yaml"


def standing() -> tuple[float, int, int]:
    """Resident memory in MiB, number of open files, number of threads."""
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return (
        int(resident.split()[1]) / 1024,
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
    )


def main() -> int:
    """Runs them and prints the counts early and late."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        noise = np.random.default_rng(0)
        for kind in ("ok", "odd"):
            (work / "images" / kind).mkdir(parents=True)
            for index in range(6):
                pixels = noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(work / "images" / kind / f"{index}.png")
        settings = [
            f"dataset={{name: image_folder, root: {work}/images, normal: ok}}",
            "backbone.width=0.0625", "scorer.views=2",
            "train={epochs: 1, batch_size: 4, device: cpu}",
        ]  # fmt: skip
        begun, early = time.monotonic(), (0.0, 0, 0)
        for number in range(1, runs + 1):
            config = adframe.load_config(BASE, settings)
            adframe.run(config, work / "run")
            adframe.load(work / "run").score([work / "images/odd/0.png"])
            shutil.rmtree(work / "run")
            if number == max(1, runs // 10):
                early = standing()
        late = standing()
    print(f"{runs} runs in {time.monotonic() - begun:.0f} s")
    print(
        f"after {max(1, runs // 10):>4}: {early[0]:.0f} MiB, {early[1]} files, {early[2]} threads"
    )
    print(f"after {runs:>4}: {late[0]:.0f} MiB, {late[1]} files, {late[2]} threads")
    return int(late[0] > 1.1 * early[0] or late[1] > early[1] or late[2] > early[2])


if __name__ == "__main__":
    sys.exit(main())
