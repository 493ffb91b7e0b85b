"""A family of backbones: what timm offers as a list of feature maps."""

from __future__ import annotations

from typing import Literal

import timm
from torch import Tensor

from adframe.interfaces import Backbone, Fraction

Model = Literal["regnety_002", "resnet10t", "convnext_atto"]


class Timm(Backbone):
    """A convolutional network of timm (Wightman), from scratch.

    Its stages are timm's feature maps, each half the size of the one before, the first a half or a
    quarter of the image. Nothing is downloaded. Images are normalised to -1..1 inside.

    Args:
        model: [guess: regnety_002] Which one; those tried here, of the many that timm has.
        drop_path: [guess: 0] Stochastic depth, where the network has it.
    """

    def __init__(self, model: Model = "regnety_002", drop_path: Fraction = 0.0) -> None:
        super().__init__()
        options = {"drop_path_rate": drop_path} if drop_path else {}
        self.net = timm.create_model(model, pretrained=False, features_only=True, **options)
        self.widths = self.net.feature_info.channels()

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        """Feature maps of stages 1..depth; the layers behind are not run."""
        features, maps = images * 2 - 1, []
        for name, layer in self.net.items():
            features = layer(features)
            if name in self.net.return_layers:
                maps.append(features)
            if len(maps) == (depth or len(self.widths)):
                break
        return maps
