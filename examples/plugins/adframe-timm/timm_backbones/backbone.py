"""Backbones from timm, as lists of feature maps."""

from __future__ import annotations

from typing import Any, Literal

import timm
from torch import Tensor

from adframe.interfaces import Backbone, Fraction

Model = Literal["regnety_002", "resnet10t", "convnext_atto"]


class Timm(Backbone):
    """A convolutional network of timm (Wightman), trained from scratch.

    Its stages are timm's feature maps. Each map is half the size of the one before; the first is a
    half or a quarter of the image. Nothing is downloaded. Images are normalised to -1..1 inside.

    Args:
        model: [guess: regnety_002] Name of the network. These three are tested; timm has many more.
        drop_path: [guess: 0] Stochastic depth, for networks that have it.
    """

    def __init__(self, model: Model = "regnety_002", drop_path: Fraction = 0.0) -> None:
        super().__init__()
        options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        net: Any = timm.create_model(model, pretrained=False, features_only=True, **options)
        self.net, self.return_layers = net, set(net.return_layers)
        self.widths = net.feature_info.channels()

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        """Feature maps of stages 1..depth. Later layers are not computed."""
        features, maps = images * 2 - 1, []
        for name, layer in self.net.items():
            features = layer(features)
            if name in self.return_layers:
                maps.append(features)
            if len(maps) == (depth or len(self.widths)):
                break
        return maps
