"""Projection heads: from a stage's feature map to the embedding a loss compares."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Brings a stage's map down to the last stage's shape, pools and projects it (g_i of Eq. 8).

    For each stage that the map has not been through, a depthwise-separable convolution with
    stride 2 takes it to that stage's width and half the size; then global average pooling, a
    linear layer, ReLU and a linear layer; a deeper one has more hidden layers, each with batch
    normalisation (DROC's, Sohn et al., ICLR 2021). The paper gives the shape only ("down-sample and
    project the feature maps with the same shape as in the last stage"); the layers are our guess,
    kept light because a head is thrown away after training.

    Args:
        widths: channels of the maps from this stage to the last.
        hidden: width between the two linear layers.
        out: width of the embedding.
        depth: number of hidden layers.
    """

    def __init__(self, widths: list[int], hidden: int, out: int, depth: int = 1) -> None:
        super().__init__()
        self.downsample = nn.Sequential(
            *(_halve(before, after) for before, after in pairwise(widths))
        )
        inputs = [widths[-1], *[hidden] * (depth - 1)]
        layers = [layer for width in inputs for layer in _hidden(width, hidden, depth > 1)]
        self.project = nn.Sequential(*layers, nn.Linear(hidden, out))

    def forward(self, features: Tensor) -> Tensor:
        """(N, out) embeddings of (N, C, H, W) maps."""
        embeddings: Tensor = self.project(self.downsample(features).mean(dim=(2, 3)))
        return embeddings


def _hidden(width: int, hidden: int, normalised: bool) -> list[nn.Module]:
    norm = [nn.BatchNorm1d(hidden)] if normalised else []
    return [nn.Linear(width, hidden, bias=not normalised), *norm, nn.ReLU(inplace=True)]


def _halve(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, stride=2, padding=1, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
