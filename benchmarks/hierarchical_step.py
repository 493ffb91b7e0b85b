"""The hierarchical step against a one-set step, and against full passes for every view set.

ResNet-18 on 32x32 images with rotation, forward and backward. CPU seconds, best of interleaved
rounds.

- ``one set`` trains the last stage on one set of views.
- ``hierarchical`` trains four stages; view set i goes through stages 1..i only. By the number of
  multiplications it should cost 2.55 one-set steps.
- ``four full passes`` trains the same four stages, but every view set goes through the whole
  network. Autograd skips the backward pass of stages that no loss reads.

    python benchmarks/hierarchical_step.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable

import pairs
import steps
from torch import Tensor

from adframe.interfaces import Backbone


def whole(backbone: Backbone) -> Callable[[Tensor, int | None], list[Tensor]]:
    """The forward pass of the backbone, always through every stage."""
    forward = backbone.forward

    def run(images: Tensor, depth: int | None = None) -> list[Tensor]:
        return forward(images)[:depth]

    return run


def main() -> None:
    """Compares and prints the table."""
    quick = pairs.arguments(__doc__).quick
    width, inliers, rounds = (0.25, 2, 2) if quick else (1.0, 2, 10)
    one = steps.method(width, {"name": "uniform"}, [4])
    hierarchical = steps.method(width, {"name": "hierarchical"}, [1, 2, 3, 4])
    full = steps.method(width, {"name": "hierarchical"}, [1, 2, 3, 4])
    full.backbone.forward = whole(full.backbone)
    cpu = pairs.seconds(
        {
            "one set": steps.step(one, inliers),
            "hierarchical": steps.step(hierarchical, inliers),
            "four full passes": steps.step(full, inliers),
        },
        rounds,
    )
    rows = [
        [name, value, value / cpu["one set"], cpu["four full passes"] / value]
        for name, value in cpu.items()
    ]
    pairs.table(["step", "CPU s", "times one set", "times faster than full"], rows)


if __name__ == "__main__":
    main()
