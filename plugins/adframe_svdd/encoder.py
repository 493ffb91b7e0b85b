"""The encoder that Deep SVDD, Deep SAD and the autoencoder train."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adframe.interfaces import LayerWidth, Method, MethodParts
from adframe_methods.one_stage import check_last_stage, last_map_size


class Encoding(Method):
    """Trains the backbone and a linear layer without bias after its last feature map."""

    ignores = ("objective", "shifts")
    starts_with = ("project",)
    called: str  #: what it trains, in an error message

    def __init__(self, embedding: LayerWidth) -> None:
        super().__init__()
        self.embedding = embedding

    def setup(self, parts: MethodParts) -> None:
        check_last_stage(parts, self.called)
        self.backbone = parts.backbone
        self.schedule = parts.schedule
        values = last_map_size(self.backbone, parts.image_size)
        self.project = nn.Linear(values, self.embedding, bias=False)
        nn.init.xavier_uniform_(self.project.weight)

    def outputs(self) -> tuple[str, ...]:
        return ("features", "anomaly")

    def _embedded(self, images: Tensor) -> Tensor:
        """Embeddings (N, embedding) of images in 0..1."""
        images = images.contiguous(memory_format=torch.channels_last)
        embedded: Tensor = self.project(self.backbone(images)[-1].flatten(1))
        return embedded
