"""Fixed first filters for brightness and edges, in place of a trained network."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from adframe.interfaces import Backbone
from adframe.ops import luma

Blur = Annotated[float, Interval(ge=0, le=16)]


class Filters(Backbone):
    """Brightness, and the strength of vertical and horizontal edges at a few scales.

    One stage of the size of the image: first brightness, then for each scale the absolute
    difference of the neighbours on both sides, along the width and along the height. It is a
    convolution whose first weights are these filters. Use it with ``train.epochs: 0``.

    Args:
        blurs: [guess: 0, 1 and 2] Standard deviations in pixels of the Gaussians that blur the
            image before the differences are taken. 0 is the image as it is.
    """

    def __init__(self, blurs: list[Blur] | None = None) -> None:
        super().__init__()
        blurs = [0.0, 1.0, 2.0] if blurs is None else blurs
        if not blurs:
            raise ValueError("blurs must name one scale at least")
        self.widths = [1 + 2 * len(blurs)]
        radius = 1 + round(3 * max(blurs))
        side = 2 * radius + 1
        self.conv = nn.Conv2d(
            1, self.widths[0], side, padding=radius, padding_mode="replicate", bias=False
        )
        with torch.no_grad():
            self.conv.weight.copy_(_kernels(blurs, radius)[:, None])

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        return [self.conv(luma(images)).abs()]


def _kernels(blurs: list[float], radius: int) -> Tensor:
    """The filters, (channels, side, side)."""
    places = torch.arange(-radius, radius + 1).float()
    point = (places == 0).float()
    kernels = [point.outer(point)]
    for blur in blurs:
        line = point
        if blur:
            line = (-places.square() / (2 * blur**2)).exp() * (places.abs() < radius)
        line = line / line.sum()
        step = torch.zeros_like(line)
        step[:-1] -= line[1:]  # the neighbour on the other side counts against it
        step[1:] += line[:-1]
        kernels += [line.outer(-step), (-step).outer(line)]
    return torch.stack(kernels)
