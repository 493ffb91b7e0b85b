"""The autoencoder whose encoder Deep SVDD and Deep SAD start with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import Batch, LayerWidth, MethodParts, Update
from adframe.ops import to_float
from adframe_backbones.lenet import global_contrast
from adframe_methods.one_stage import USUAL, views_of

from .encoder import Encoding

SLOPE = 0.01  # inferred: Deep SVDD's code; of the leaky ReLU
EPSILON = 1e-4  # inferred: Deep SVDD's code; of batch normalisation


class Decoder(nn.Module):
    """From embeddings to images in 0..1: the stages of an encoder in reverse, without biases.

    Args:
        embedding: width of the embedding.
        widths: numbers of channels of the maps, from the smallest map on.
        size: height and width of the images.

    Raises:
        ValueError: the embedding does not fill the smallest map.
    """

    def __init__(self, embedding: int, widths: list[int], size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.grid = [-(-side // 2 ** len(widths)) for side in size]  # rounded up
        area = self.grid[0] * self.grid[1]
        if embedding % area:
            text = f"{self.grid[0]}x{self.grid[1]} places of the smallest map"
            raise ValueError(f"an embedding of width {embedding} does not fill the {text}")
        self.start = nn.BatchNorm1d(embedding, eps=EPSILON, affine=False)
        layers = [
            nn.ConvTranspose2d(before, after, 5, padding=2, bias=False)
            for before, after in pairwise([embedding // area, *widths, 3])
        ]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("leaky_relu", SLOPE))
        self.stages = nn.ModuleList(layers)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width, eps=EPSILON, affine=False) for width in widths
        )

    def forward(self, embedded: Tensor) -> Tensor:
        """Images (N, 3, H, W) in 0..1, of embeddings (N, embedding)."""
        maps = F.leaky_relu(self.start(embedded).view(len(embedded), -1, *self.grid), SLOPE)
        for stage, norm in zip(self.stages, self.norms, strict=False):
            maps = F.interpolate(F.leaky_relu(norm(stage(maps)), SLOPE), scale_factor=2.0)
        height, width = self.size
        images: Tensor = self.stages[-1](maps)[..., :height, :width].sigmoid()
        return images


def squared_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared error of each of (N, ...) images, summed over all values, shape (N,)."""
    return (found.float() - wanted.float()).square().flatten(1).sum(1)


class Autoencoder(Encoding):
    """Reconstructs images from an embedding; Deep SVDD and Deep SAD start with its encoder.

    The encoder is the backbone and a linear layer without bias, as those of ``deep_svdd``; the
    decoder is its mirror image. The loss is the squared error, summed over an image. A run of
    ``deep_svdd`` or ``deep_sad`` takes the encoder by ``start: {init_from: FOLDER}``. No stage but
    the last is trained, and shifts are not used.

    Scorers can use ``features``, the embedding, and ``anomaly``, the error of the reconstruction
    (scorer ``method_output``).

    Args:
        embedding: [inferred: Deep SVDD's code] Width of the embedding.
        contrast: [inferred: Deep SVDD's code] Whether the image to reconstruct is the one after
            global contrast normalisation, scaled to 0..1 by the range of all training images.
    """

    called = "an autoencoder"
    low: Tensor
    high: Tensor

    def __init__(self, embedding: LayerWidth = 128, contrast: bool = True) -> None:
        super().__init__(embedding)
        self.contrast = contrast
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.ones(()))

    def setup(self, parts: MethodParts) -> None:
        super().setup(parts)
        size = parts.image_size or USUAL
        self.decoder = Decoder(self.embedding, self.backbone.widths[::-1], size)

    def begin(self, batches: Iterable[Batch]) -> None:
        if self.contrast:
            found = [global_contrast(to_float(batch.pixels)).aminmax() for batch in batches]
            self.low.copy_(torch.stack([each.min for each in found]).min())
            self.high.copy_(torch.stack([each.max for each in found]).max())

    def _target(self, images: Tensor) -> Tensor:
        """What is to be reconstructed of images in 0..1."""
        images = global_contrast(images.float()) if self.contrast else images
        return (images - self.low) / (self.high - self.low).clamp(min=1e-6)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        images = views_of(self.schedule, self.backbone, batch.pixels, batch.keys, progress)
        made = self.decoder(self._embedded(images))
        yield Update(squared_error(made, self._target(images)).mean())

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        embedded = self._embedded(images)
        error = squared_error(self.decoder(embedded), self._target(images))
        return {"features": embedded, "anomaly": error[:, None]}
