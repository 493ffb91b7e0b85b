"""The two networks of a DCGAN: its discriminator without the last layer, and its generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from adframe.interfaces import Backbone

from .preprocess import HALF, Deviation, Mean, Preprocess, Side

Width = Annotated[float, Interval(gt=0, le=8)]


class DCGAN(Backbone):
    """The discriminator of DCGAN without its last layer (Radford et al., ICLR 2016).

    Three 4x4 convolutions with stride 2, of 64-128-256 channels, for images of about 32 pixels;
    batch normalisation but for the first; leaky ReLU. Images are normalised inside.

    Args:
        width: [guess: 1, half of the usual channels for 64 pixels] Factor of the number of channels
            of every stage.
        slope: [published: 0.2] Slope of the leaky ReLU below zero.
        size: Pixels per side of the input of the first convolution. Larger images are resized; each
            pixel is the mean of the pixels it covers. By default images keep their size.
        mean: [published: 0.5] Mean of red, green and blue, which is subtracted from images in 0..1.
        std: [published: 0.5] Standard deviations to divide by.
    """

    def __init__(
        self,
        width: Width = 1.0,
        slope: Annotated[float, Interval(ge=0, lt=1)] = 0.2,
        size: Side | None = None,
        mean: Mean = HALF,
        std: Deviation = HALF,
    ) -> None:
        super().__init__()
        self.preprocess = Preprocess(size, mean, std)
        self.widths = [max(1, round(width * base)) for base in (64, 128, 256)]
        self.stages = nn.ModuleList()
        for before, after in pairwise([3, *self.widths]):
            layers: list[nn.Module] = [nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)]
            if len(self.stages):
                layers.append(nn.BatchNorm2d(after))
            self.stages.append(nn.Sequential(*layers, nn.LeakyReLU(slope)))
        initialise_dcgan(self)

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        features, maps = self.preprocess(images), []
        for stage in list(self.stages)[:depth]:
            features = stage(features)
            maps.append(features)
        return maps


class Generator(nn.Module):
    """The generator of DCGAN (Radford et al., ICLR 2016): from a latent vector to an image.

    A linear layer, then one 4x4 transposed convolution with stride 2 for each of ``widths``; batch
    normalisation and ReLU between them. What is beyond the size of the image is cut off.

    Args:
        latent: length of the latent vector.
        widths: numbers of channels of the maps, from the smallest map on.
        size: height and width of the images.
    """

    def __init__(self, latent: int, widths: Sequence[int], size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.grid = [-(-side // 2 ** len(widths)) for side in size]  # rounded up
        first = widths[0]
        self.start = nn.Linear(latent, first * self.grid[0] * self.grid[1], bias=False)
        layers: list[nn.Module] = []
        for before, after in pairwise([*widths, 3]):
            layers += [nn.BatchNorm2d(before), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False))
        self.layers = nn.Sequential(*layers)
        initialise_dcgan(self)

    def forward(self, latent: Tensor) -> Tensor:
        """Images (N, 3, H, W) in 0..1, of (N, latent) vectors."""
        maps = self.layers(self.start(latent).view(len(latent), -1, *self.grid))
        height, width = self.size
        images: Tensor = 0.5 + 0.5 * torch.tanh(maps[:, :, :height, :width])
        return images


def initialise_dcgan(network: nn.Module) -> None:
    """Draws all weights from a normal distribution of standard deviation 0.02, as DCGAN does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
