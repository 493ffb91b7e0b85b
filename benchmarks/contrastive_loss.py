"""UniCLR against pytorch-metric-learning's SupConLoss, forward and backward.

SupConLoss is the same function if all inliers have one label and every virtual outlier has a
separate label. There are three virtual outliers per inlier and two views of each; the width is 128.
Prints CPU seconds (best of interleaved rounds), the peak memory of one call in a fresh process, and
the ratios. ``soft`` is UniCLR with soft aggregation. SupConLoss cannot do that, so ``soft`` is
compared with the same plain loss.

    python benchmarks/contrastive_loss.py [--quick | --crossover]

``--crossover`` times the dense and the blocked form of adframe's kernel for growing numbers of
views. ``adframe.ops.contrastive.BLOCKED_FROM`` is the number from which the blocked form is faster.
"""

from __future__ import annotations

from collections.abc import Callable

import pairs
import torch
from torch import Tensor

import adframe
from adframe.ops import group_contrast

TEMPERATURE = 0.5


def views(count: int) -> adframe.Views:
    """Two views of count/8 inliers and of three shifted copies of each."""
    source = torch.arange(count // 8).repeat(8)
    shift = torch.arange(4).repeat_interleave(count // 8).repeat(2)
    return adframe.Views(source, shift, torch.full((count,), -1), shift == 0)


def contenders(count: int) -> dict[str, Callable[[], float]]:
    """One step of each loss on the same embeddings."""
    seen = views(count)
    labels = torch.where(seen.inlier, 0, 1 + seen.source * 4 + seen.shift)
    z = torch.randn(count, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    theirs = pairs.peer("pytorch_metric_learning.losses").SupConLoss(temperature=TEMPERATURE)
    options = {"name": "uniclr", "temperature": TEMPERATURE}
    plain = adframe.build("loss", options)
    soft = adframe.build("loss", {**options, "soft_aggregation": "pairwise"})
    return {
        "SupConLoss": pairs.backward(lambda: theirs(z, labels), z),
        "adframe": pairs.backward(lambda: plain(z, seen), z),
        "adframe, soft": pairs.backward(lambda: soft(z, seen), z),
    }


def crossover() -> None:
    """Times both forms of the kernel from 64 views on."""
    rows: list[list[str | float]] = []
    for count in (64, 128, 256, 384, 512, 768, 1024, 2048):
        group = views(count).source
        z = torch.randn(count, 128).requires_grad_()

        def run(blocked: bool, z: Tensor = z, group: Tensor = group) -> None:
            for _ in range(10):
                value = group_contrast(z, group, TEMPERATURE, blocked=blocked)
                value.mean().backward()

        cpu = pairs.seconds({"dense": lambda: run(False), "blocked": lambda: run(True)}, 9)
        ms = {name: value * 100 for name, value in cpu.items()}
        rows.append([str(count), ms["dense"], ms["blocked"], ms["dense"] / ms["blocked"]])
    pairs.table(["views", "dense, ms", "blocked, ms", "times faster"], rows)


def main() -> None:
    """Compares at each size and prints the table."""
    given = pairs.arguments(__doc__, "--crossover")
    if given.crossover:
        crossover()
        return
    sizes = {1024: 3} if given.quick else {2048: 7, 8192: 1}
    pairs.compare(contenders, sizes, "views", small=640, agree=["SupConLoss", "adframe"])


if __name__ == "__main__":
    main()
