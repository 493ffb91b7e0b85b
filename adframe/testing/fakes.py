"""Minimal working components, used to check other components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import (
    Augmentation,
    Backbone,
    Batch,
    Loss,
    Method,
    MethodParts,
    Optimizer,
    RandomKeys,
    Schedule,
    Shift,
    Stage,
    Update,
    Views,
)


class SmallNet(Backbone):
    """Backbone with two stages of one convolution each."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = [4, 6]
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        """Feature maps of both stages, or of the first."""
        maps = [F.relu(self.first(images))]
        if depth != 1:
            maps.append(F.relu(self.second(maps[0])))
        return maps


class SmallMethod(Method):
    """Method of a small network that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = SmallNet()

    def setup(self, parts: MethodParts) -> None:
        """Uses no part."""

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        """Yields nothing."""
        yield from ()

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        """Pooled features of the last stage."""
        return {"features": self.backbone(images)[-1].mean((2, 3))}


class SmallSteps(torch.optim.Optimizer):
    """Plain gradient descent with a small step."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 1e-3})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Moves each parameter that has a gradient."""
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.sub_(self.param_groups[0]["lr"] * parameter.grad)


class Spread(Loss):
    """Loss: mean cosine of all pairs."""

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        """The mean cosine, a scalar."""
        z = F.normalize(embeddings.float())
        return (z @ z.T).mean()


class Still(Augmentation):
    """Augmentation that changes nothing."""

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        """Return the images as float in 0..1."""
        return images.float() / 255 if images.dtype == torch.uint8 else images


class WholeNet(Schedule):
    """Schedule that trains the last stage."""

    def __init__(self, augmentation: Augmentation) -> None:
        self.augmentation = augmentation

    def stages(self, levels: int, progress: float) -> list[Stage]:
        """The last stage, at every time."""
        return [Stage(levels, self.augmentation)]


class UpsideDown(Shift):
    """Shift that turns images upside down."""

    variants = 1

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        """Turns images by 180 degrees for variant 1."""
        return torch.rot90(images, 2, (-2, -1)) if variant else images


TURN = UpsideDown()


class Constant(Optimizer):
    """Gradient descent with a learning rate that stays the same."""

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Small steps."""
        return SmallSteps(parameters)
