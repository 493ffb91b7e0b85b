"""Training steps of UniCon-HA on random images, shared by benchmarks that time steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

import adframe
from adframe.interfaces import Batch, LossTerm, Method, MethodParts, RandomKeys


def method(width: float, schedule: dict[str, object], stages: Sequence[int]) -> Method:
    """A contrastive method with rotation, and UniCLR at the given stages; channels-last."""
    torch.manual_seed(0)
    built: Method = adframe.build("method", "contrastive")
    built.setup(
        MethodParts(
            adframe.build("backbone", {"name": "resnet18", "width": width}),
            [adframe.build("shift", "rotation")],
            adframe.build("schedule", schedule),
            [LossTerm(lambda: adframe.build("loss", "uniclr"), list(stages), 1.0)],
            1,
        )
    )
    return built.to(memory_format=torch.channels_last)


def batch(inliers: int) -> Batch:
    """A batch of random 32x32 images."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (inliers, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return Batch(
        pixels, torch.full((inliers,), -1), RandomKeys.from_index(0, torch.arange(inliers))
    )


def step(of: Method, inliers: int) -> Callable[[], Tensor]:
    """Forward and backward of one step, without the optimizer."""

    def run() -> Tensor:
        of.zero_grad(set_to_none=True)
        (update,) = of.step(batch(inliers), 0.0)
        update.loss.backward()
        return update.loss.detach()

    return run
