"""The three forms of PyTorch's optimizer step, on the parameters of ResNet-18.

``plain`` is the default of torch.optim on a CPU, which adframe uses. ``foreach`` and ``fused`` are
its other forms. CPU seconds of one step, best of interleaved rounds.

    python benchmarks/optimizer.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pairs
import steps
import torch

import adframe

KINDS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
STEPS = 5  # per round


def stepping(
    build: Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer], width: float
) -> Callable[[], None]:
    """A round of steps on a network of that width. Gradients are computed once."""
    network = steps.method(width, {"name": "uniform"}, [4])
    steps.step(network, 2)()
    optimizer = build(list(network.parameters()))

    def run() -> None:
        for _ in range(STEPS):
            optimizer.step()

    return run


def main() -> None:
    """Compares and prints the table."""
    widths, rounds = ((0.25,), 2) if pairs.arguments(__doc__).quick else ((0.25, 1.0), 15)
    rows: list[list[str | float]] = []
    for width in widths:
        for name, kind in KINDS.items():
            policy = adframe.build("optimizer", {"name": name, "lr": 1e-4})
            options = {"lr": 1e-4, "weight_decay": policy.weight_decay}
            options |= {"momentum": policy.momentum} if name == "sgd" else {}
            contenders = {
                "plain": partial(kind, foreach=False, **options),
                "foreach": partial(kind, foreach=True, **options),
                "fused": partial(kind, fused=True, **options),
            }
            rounds_of = {who: stepping(build, width) for who, build in contenders.items()}
            cpu = pairs.seconds(rounds_of, rounds)
            for contender, value in cpu.items():
                ratio = cpu["plain"] / value
                rows.append([f"{name}, width {width:g}, {contender}", 1e3 * value / STEPS, ratio])
    pairs.table(["optimiser", "CPU ms a step", "times faster"], rows)


if __name__ == "__main__":
    main()
