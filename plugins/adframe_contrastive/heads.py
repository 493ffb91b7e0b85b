"""Projection heads: from a stage's feature map to the embedding a loss compares."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Brings a stage's map down to the last stage's shape, pools and projects it (g_i of Eq. 8).

    For each stage that the map has not been through, a depthwise-separable convolution with
    stride 2 takes it to that stage's width and half the size; then global average pooling, a
    linear layer, ReLU and a linear layer. The paper gives the shape only ("down-sample and
    project the feature maps with the same shape as in the last stage"); the layers are our guess,
    kept light because a head is thrown away after training.

    Args:
        widths: channels of the maps from this stage to the last.
        hidden: width between the two linear layers.
        out: width of the embedding.
    """

    def __init__(self, widths: list[int], hidden: int, out: int) -> None:
        super().__init__()
        self.downsample = nn.Sequential(
            *(_halve(before, after) for before, after in pairwise(widths))
        )
        self.project = nn.Sequential(
            nn.Linear(widths[-1], hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, out) embeddings of (N, C, H, W) maps."""
        embeddings: Tensor = self.project(self.downsample(features).mean(dim=(2, 3)))
        return embeddings


def _halve(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, stride=2, padding=1, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
