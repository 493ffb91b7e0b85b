"""Effect of bfloat16 autocast on AUROC: runs in both precisions with the same seeds.

Only training is under autocast, as in the training loop; scores are float32. On a CPU without
bfloat16 instructions real bfloat16 takes ten times as long, so convolutions are emulated: operands
are rounded to bfloat16, products and sums are float32, the result is rounded. The instructions do
the same, except for the order of sums. ``--check`` prints the error of one convolution against
exact sums, emulated and as PyTorch computes it here. Without the instructions, the error of
PyTorch's backward pass is twice as large.

    python benchmarks/bfloat16.py [--config FILE] [--set KEY=VALUE] [--seeds N] [--check] [--quick]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pairs
import precision
import torch
from torch import Tensor
from torch.nn import functional as F

import adframe

QUICKSTART = Path(__file__).parents[1] / "configs/quickstart.yaml"
CONVOLUTION = F.conv2d


def rounded(value: Tensor) -> Tensor:
    """Rounds float32 to values of bfloat16, and its gradient too."""
    return value.bfloat16().float()


def emulated(images: Tensor, weight: Tensor, bias: Tensor | None = None, *more: Any) -> Tensor:
    """A convolution. Under autocast, it is computed as bfloat16 instructions compute it."""
    if not torch.is_autocast_enabled("cpu"):
        return CONVOLUTION(images, weight, bias, *more)
    with torch.autocast("cpu", enabled=False):
        bias = None if bias is None else rounded(bias)
        return CONVOLUTION(rounded(images), rounded(weight), bias, *more).bfloat16()


@contextmanager
def emulation(wanted: bool) -> Iterator[None]:
    """Emulates every convolution inside the ``with`` block."""
    F.conv2d = emulated if wanted else CONVOLUTION
    try:
        yield
    finally:
        F.conv2d = CONVOLUTION


def check() -> None:
    """Prints the error of one convolution and its gradients against exact sums."""
    torch.manual_seed(0)
    images, weight = rounded(torch.randn(8, 32, 16, 16)), rounded(torch.randn(64, 32, 3, 3) / 17)
    above = rounded(torch.randn(8, 64, 16, 16))

    def off(of: Callable[..., Tensor]) -> list[float]:
        values = []
        for half in (True, False):
            inputs = [images.clone().requires_grad_(), weight.clone().requires_grad_()]
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                out = of(*inputs, None, 1, 1)
            out.backward(above.to(out.dtype))
            values.append([out.detach().float(), *(each.grad for each in inputs)])
        return [float((a - b).norm() / b.norm()) for a, b in zip(*values, strict=True)]

    rows = [["bf16", *off(CONVOLUTION)], ["bf16, emulated", *off(emulated)]]
    pairs.table(["off by", "output", "gradient of images", "gradient of weight"], rows)


def main() -> None:
    """Runs every seed in both precisions and prints the AUROC."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, default=QUICKSTART)
    parser.add_argument("--set", action="append", default=[], help="override for both precisions")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="error of one convolution only")
    parser.add_argument("--quick", action="store_true", help="one seed, one epoch")
    given = parser.parse_args()
    if given.check:
        check()
        return
    few = ["train.epochs=1"] if given.quick else []
    emulate = precision.native() == "none"
    found: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for seed in range(1 if given.quick else given.seeds):
        for name, auroc in found.items():
            settings = [*given.set, *few, f"seed={seed}", f"train.precision={name}"]
            with emulation(emulate):
                auroc.append(adframe.run(adframe.load_config(given.config, settings)).mean_auroc)
    rows = []
    for name, auroc in found.items():
        seeds = " / ".join(f"{value:.3f}" for value in auroc)
        rows.append([name, seeds, pairs.over_seeds(auroc)])
    print(f"bfloat16 instructions: {precision.native()}{', emulated' * emulate}\n")
    pairs.table(["precision", "AUROC, seed by seed", "mean"], rows)


if __name__ == "__main__":
    main()
