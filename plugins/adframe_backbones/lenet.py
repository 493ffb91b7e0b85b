"""The LeNet of Deep SVDD."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from adframe.interfaces import Backbone

from .preprocess import HALF, Deviation, Mean, Preprocess, Side

Width = Annotated[float, Interval(gt=0, le=8)]


class LeNet(Backbone):
    """Three 5x5 convolutions of 32-64-128 channels, as in Deep SVDD (Ruff et al., ICML 2018).

    Each is followed by batch normalisation, a leaky ReLU and 2x2 max-pooling. Without ``bias``
    batch normalisation has no weights. Images are normalised inside.

    Args:
        width: [published: 1] Factor of the number of channels of every stage.
        bias: [published: false for Deep SVDD and Deep SAD] Whether convolutions have a bias and
            batch normalisation has weights. A network with a bias can map all images to one point.
        slope: [inferred: 0.01 in Deep SVDD's PyTorch code; published: 0.1] Slope of the leaky ReLU
            below zero.
        contrast: [published: true for Deep SVDD and Deep SAD] Global contrast normalisation in
            place of ``mean`` and ``std``: the mean of all values of an image is subtracted, and the
            result is divided by their mean absolute deviation.
        size: Pixels per side of the input of the first convolution. Larger images are resized; each
            pixel is the mean of the pixels it covers. By default images keep their size.
        mean: [guess: 0.5, where there is no contrast normalisation] Mean of red, green and blue,
            which is subtracted from images in 0..1.
        std: [guess: 0.5, where there is no contrast normalisation] Standard deviations to divide
            by.
    """

    def __init__(
        self,
        width: Width = 1.0,
        bias: bool = False,
        slope: Annotated[float, Interval(ge=0, lt=1)] = 0.01,
        contrast: bool = False,
        size: Side | None = None,
        mean: Mean = HALF,
        std: Deviation = HALF,
    ) -> None:
        super().__init__()
        self.preprocess = Preprocess(size, mean, std)
        self.contrast = contrast
        self.widths = [max(1, round(width * base)) for base in (32, 64, 128)]
        inputs = [3, *self.widths[:-1]]
        self.stages = nn.ModuleList(
            _stage(before, after, bias, slope)
            for before, after in zip(inputs, self.widths, strict=True)
        )

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        features, maps = self.preprocess(images), []
        if self.contrast:
            features = global_contrast(features)
        for stage in list(self.stages)[:depth]:
            features = stage(features)
            maps.append(features)
        return maps


def _stage(channels_in: int, channels: int, bias: bool, slope: float) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels, 5, padding=2, bias=bias)
    nn.init.xavier_uniform_(convolution.weight, nn.init.calculate_gain("leaky_relu", slope))
    return nn.Sequential(
        convolution,
        nn.BatchNorm2d(channels, eps=1e-4, affine=bias),
        nn.LeakyReLU(slope),
        nn.MaxPool2d(2, ceil_mode=True),
    )


def global_contrast(images: Tensor) -> Tensor:
    """Images (N, C, H, W) of mean 0 and mean absolute value 1 each; those of one colour are 0.

    The mean and the scale of the input have no effect.
    """
    images = images - images.mean(dim=(1, 2, 3), keepdim=True)
    return images / images.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
