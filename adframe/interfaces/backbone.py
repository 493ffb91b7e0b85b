"""Backbones: networks that return the feature map of each of their stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """A network that returns the feature map of each of its stages.

    Attributes:
        widths: number of channels of each stage's feature map.
        frozen: modules that stay in evaluation mode while the others train, so that their
            statistics stay as they are. ``start.freeze`` in a config sets it.
    """

    widths: list[int]
    frozen: Sequence[nn.Module] = ()

    @abstractmethod
    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        """Feature maps of stages 1..depth, shapes (N, widths[i], H_i, W_i).

        Args:
            images: (N, 3, H, W) floating point in 0..1. The backbone normalises them.
            depth: number of stages to compute; all by default. Deeper stages must not be computed.
        """

    def first_weights(self) -> Mapping[str, Tensor]:
        """Weights that a new run starts with, by their names in ``state_dict``; none by default.

        Called once, before a new run is trained: never when a run is resumed, evaluated or loaded.
        So this is the place for a download. Without any, the weights stay as they were drawn.

        Raises:
            adframe.UserError: they cannot be had; one clear line.
        """
        return {}

    def renamed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a file under their names in ``state_dict``; as they are by default.

        A network that is published with other names, or with a classifier that the backbone does
        not have, translates here. What it does not know, it passes on: it is reported.
        """
        return dict(weights)

    def train(self, mode: bool = True) -> Self:
        """Sets training or evaluation mode, except for what is ``frozen``."""
        super().train(mode)
        for module in self.frozen:
            module.training = False
        return self
