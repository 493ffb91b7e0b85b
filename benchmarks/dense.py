"""Scoring windows of one large image: each by itself, shared, and from feature maps.

One image of 256x256 pixels, ResNet-18 at a quarter of the width, 841 windows of 32x32 pixels,
8 pixels apart. Prints CPU milliseconds of one thread for the features, the best of some rounds, and
how many times faster than windows one by one. Feature maps are those of stages 2 and 3, as in
PatchCore.

    python benchmarks/dense.py [--quick]
"""

from __future__ import annotations

import argparse
import time

import torch

import adframe
from adframe.engine.features import extract_features
from adframe.engine.fold import folded
from adframe.interfaces import LossTerm, Method, MethodParts, ViewSpec, Windows


def method(stem: str) -> Method:
    """A network that is not trained, its batch normalisations folded."""
    torch.manual_seed(0)
    made = adframe.build("method", "contrastive")
    loss = adframe.build("loss", "uniclr")
    backbone = adframe.build("backbone", {"name": "resnet18", "width": 0.25, "stem": stem})
    shifts, schedule = [adframe.build("shift", "rotation")], adframe.build("schedule", "uniform")
    made.setup(MethodParts(backbone, shifts, schedule, [LossTerm(lambda: loss, None, 1.0)], 1))
    return folded(made, (3, 32, 32)).to(memory_format=torch.channels_last)


def main() -> None:
    """Measures all in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2 rounds, not 7")
    rounds = 2 if parser.parse_args().quick else 7
    torch.set_num_threads(1)
    small, large = method("small"), method("large")
    image = torch.randint(0, 256, (1, 3, 256, 256), dtype=torch.uint8)
    windows = ViewSpec(windows=Windows(32, 8))
    contenders = {
        "windows one by one": (small, windows),
        "windows, shared": (small, ViewSpec(outputs=(), stages=(4,))),
        "feature maps": (small, ViewSpec(outputs=(), stages=(2, 3))),
        "feature maps, large stem": (large, ViewSpec(outputs=(), stages=(2, 3))),
    }
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, (network, spec) in contenders.items():
            started = time.process_time()
            for _ in extract_features(network, [], image, spec, 0):
                pass
            best[name] = min(best[name], time.process_time() - started)
    reference = best["windows one by one"]
    print(f"{'one image':<26}{'ms':>8}{'times faster':>14}")
    for name, seconds in best.items():
        print(f"{name:<26}{1000 * seconds:>8.0f}{reference / seconds:>14.1f}")


if __name__ == "__main__":
    main()
