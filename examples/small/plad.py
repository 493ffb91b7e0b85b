"""PLAD (Cai and Fan, NeurIPS 2022) in short; the bundled ``plad`` has the whole method."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe import Add, hookimpl
from adframe.interfaces import Batch, Count, Method, MethodParts, NonNegative, Update


class SmallPLAD(Method):
    """Learns the smallest perturbations that a classifier can separate from normal images.

    Args:
        width: [guess: 32] Channels of the perturbator.
        penalty: [guess: 0.05] Weight of the size of the perturbation.
    """

    ignores = ("objective", "shifts", "schedule")

    def __init__(self, width: Count = 32, penalty: NonNegative = 0.05) -> None:
        super().__init__()
        self.width, self.penalty = width, penalty

    def setup(self, parts: MethodParts) -> None:
        self.backbone = parts.backbone
        self.last = nn.Linear(parts.backbone.widths[-1], 1)
        self.perturbator = nn.Sequential(
            nn.Conv2d(3, self.width, 3, padding=1), nn.Tanh(),
            nn.Conv2d(self.width, 6, 3, padding=1),
        )  # fmt: skip

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        images = batch.pixels / 255
        factor, summand = self.perturbator(images * 2 - 1).chunk(2, dim=1)
        both = torch.cat([images, images * (1 + factor) + summand])
        normal, perturbed = self.embed(both)["anomaly"].chunk(2)
        size = (factor.square() + summand.square()).flatten(1).sum(1).mean()
        apart = (F.softplus(normal).mean() + F.softplus(-perturbed).mean()) / 2
        yield Update(apart + self.penalty * size, metrics={"size": size.detach()})

    def outputs(self) -> tuple[str, ...]:
        return ("features", "anomaly")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        pooled = self.backbone(images)[-1].mean((2, 3))
        return {"features": pooled, "anomaly": self.last(pooled)}


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "small_plad", SmallPLAD)
