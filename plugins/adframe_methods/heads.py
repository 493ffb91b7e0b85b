"""Projection heads, from the feature map of a stage to an embedding."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Projection head of one stage (g_i of Eq. 8 of Wang et al., ICCV 2023).

    For each later stage, a depthwise-separable convolution with stride 2 halves the map and changes
    it to the width of that stage. Then follow global average pooling, a linear layer, ReLU and a
    linear layer. A deeper head has more hidden layers, each with batch normalisation (DROC, Sohn et
    al., ICLR 2021). The paper gives the shape only ("down-sample and project the feature maps with
    the same shape as in the last stage"). The layers are our guess; they are light, since a head is
    not used after training.

    Args:
        widths: numbers of channels of the stages, from this one to the last.
        hidden: width of the hidden layers.
        out: width of the embedding.
        depth: number of hidden layers.
        bias: whether the last layer has a bias.
    """

    def __init__(
        self, widths: list[int], hidden: int, out: int, depth: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.downsample = nn.Sequential(
            *(_halve(before, after) for before, after in pairwise(widths))
        )
        inputs = [widths[-1], *[hidden] * (depth - 1)]
        layers = [layer for width in inputs for layer in _hidden(width, hidden, depth > 1)]
        self.project = nn.Sequential(*layers, nn.Linear(hidden, out, bias=bias))

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings (N, out) of feature maps (N, C, H, W)."""
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
