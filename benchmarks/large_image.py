"""Memory and time of scoring one large image with maps, by the scorers that give some.

A network that is not trained, ResNet-18 at a quarter of the width; the scorer is fitted on two
images of 256x256 pixels. Each row is a process: the peak of its memory while it scores one image,
above what it had before, and CPU seconds of one thread.

    python benchmarks/large_image.py [--sides 1024 2048 4096] [--stride 16]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from typing import Any

import torch

import adframe
from adframe.engine.fold import folded
from adframe.engine.scoring import fit, score
from adframe.interfaces import Images, LossTerm, MethodParts

CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "dense": ("small", {"name": "dense", "patch": 32}),
    "dense, shared: 4": ("small", {"name": "dense", "patch": 32, "shared": 4}),
    "feature_map, large stem": ("large", {"name": "feature_map"}),
}


def main() -> None:
    """Print the table, or measure one row of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--stride", type=int, default=16, help="of the windows of dense (16)")
    parser.add_argument("--one", choices=CONTENDERS, help="measure this scorer in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(*measured(arguments.one, arguments.sides[0], arguments.stride))
        return
    print("| scorer | image | MiB | CPU s |\n|---|--:|--:|--:|")
    for name in CONTENDERS:
        for side in arguments.sides:
            given = ["--one", name, "--sides", str(side), "--stride", str(arguments.stride)]
            command = [sys.executable, "-W", "ignore", __file__, *given]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            used = done.stdout.split() if done.returncode == 0 else ["failed", "-"]
            print(f"| {name} | {side}x{side} | {' | '.join(used)} |", flush=True)


def measured(name: str, side: int, stride: int) -> tuple[str, str]:
    """Mebibytes above those before, and seconds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    stem, table = CONTENDERS[name]
    method, loss = adframe.build("method", "contrastive"), adframe.build("loss", "uniclr")
    backbone = adframe.build("backbone", {"name": "resnet18", "width": 0.25, "stem": stem})
    shifts, schedule = [adframe.build("shift", "rotation")], adframe.build("schedule", "uniform")
    method.setup(MethodParts(backbone, shifts, schedule, [LossTerm(lambda: loss, None, 1.0)], 1))
    method = folded(method.eval(), (3, 256, 256)).to(memory_format=torch.channels_last)
    table = table | ({"stride": stride} if table["name"] == "dense" else {})
    scorer = adframe.build("scorer", table)
    small = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8)
    nothing = torch.zeros(2, dtype=torch.int64)
    with torch.no_grad():
        fit([scorer], method, [], Images(small, nothing, nothing > 0, ["0", "1"]), 0)
        image = torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8)
        before, started = peak(), time.process_time()
        score([scorer], method, [], image, 0, keep=lambda number, first, maps: None)
    return f"{peak() - before:.0f}", f"{time.process_time() - started:.1f}"


def peak() -> float:
    """Peak of the memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
