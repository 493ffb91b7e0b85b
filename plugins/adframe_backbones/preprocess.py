"""Preprocessing of images and initialisation of weights, the same for all backbones."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import Fraction, Positive

Side = Annotated[int, Interval(ge=4, le=4096)]
Mean = tuple[Fraction, Fraction, Fraction]
Deviation = tuple[Positive, Positive, Positive]
Initialisation = Literal["fan_out", "fan_in", "pytorch"]
HALF = (0.5, 0.5, 0.5)


class Preprocess(nn.Module):
    """Resizes images and normalises each channel: (x - mean) / std, by default to -1..1.

    Args:
        size: pixels per side; each is the mean of the pixels it covers. None keeps the size.
        mean, std: of red, green and blue.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, size: Side | None = None, mean: Mean = HALF, std: Deviation = HALF) -> None:
        super().__init__()
        self.size = size
        scale = [1 / deviation for deviation in std]
        offset = [-middle / deviation for middle, deviation in zip(mean, std, strict=True)]
        for name, values in {"scale": scale, "offset": offset}.items():
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images of the network's input size, from (N, 3, H, W) floating point in 0..1."""
        if self.size is not None and images.shape[-2:] != (self.size, self.size):
            images = F.interpolate(images, size=(self.size, self.size), mode="area")
        return images * self.scale.to(images.dtype) + self.offset.to(images.dtype)


def initialise(network: nn.Module, how: Initialisation) -> None:
    """Draws the weights of all convolutions: He's normal distribution, or PyTorch's default."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and how != "pytorch":
            nn.init.kaiming_normal_(module.weight, mode=how, nonlinearity="relu")
