"""A decoder with a latent vector for each image, and a contrastive encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from adframe.interfaces import (
    Batch,
    LayerWidth,
    Method,
    MethodParts,
    NonNegative,
    Positive,
    RandomKeys,
    Update,
    every_variant,
)
from adframe.ops import at_least_float32
from adframe_backbones.dcgan import Generator
from adframe_methods.one_stage import USUAL, check_last_stage, views_of

from .parts import pair_contrast, principal_components, shrunk

CONTENT = 0  # seed of the keys that name images


class NDAInspired(Method):
    """Trains a decoder and a contrastive encoder (the idea of NDA, Chen et al., IJCAI 2021).

    Of NDA only the idea is known to us, not the losses, networks or score. So this is no
    reimplementation, and its figures are not those of NDA.

    Known, from the abstract: a decoder maps a latent vector of each image to that image; the latent
    vectors are initialised from the whole distribution of the training data; no adversarial
    training; an encoder learns to compare by an estimate of mutual information, which also trains
    the decoder; it uses negative augmentation.

    Our guesses: latent vectors start as whitened principal components, and move by plain gradient
    descent. The decoder is a DCGAN generator and minimises the mean
    squared error. InfoNCE with weight ``weight`` compares an image with its decoding, against the
    decodings of other images and the images of the batch under each shift, which are the negatives.
    No stage but the last is trained.

    Scorers can use ``features``, the pooled features of the encoder, and ``projection``, the vector
    that is compared.

    Args:
        latent: [guess: 64] Length of a latent vector.
        projection: [guess: 128] Width of the vector that is compared.
        weight: [guess: 0.1] Weight of InfoNCE.
        temperature: [guess: 0.5] Divides the cosine.
        latent_rate: [guess: 10] Learning rate of the latent vectors.

    Raises:
        ValueError: there are no shifts.
    """

    ignores = ("objective",)
    names: Tensor
    latents: Tensor

    def __init__(
        self,
        latent: LayerWidth = 64,
        projection: LayerWidth = 128,
        weight: NonNegative = 0.1,
        temperature: Positive = 0.5,
        latent_rate: NonNegative = 10.0,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.projection = projection
        self.weight = weight
        self.temperature = temperature
        self.latent_rate = latent_rate
        self.register_buffer("names", torch.empty(0, dtype=torch.int64))  # of images, ascending
        self.register_buffer("latents", torch.empty(0))  # in the order of their names

    def setup(self, parts: MethodParts) -> None:
        check_last_stage(parts, "nda_inspired")
        if not parts.shifts:
            raise ValueError("nda_inspired needs shifts: they make the negatives")
        self.backbone = parts.backbone
        self.schedule = parts.schedule
        self.shifts = parts.shifts
        size, widths = parts.image_size or USUAL, self.backbone.widths
        self.decoder = Generator(self.latent, widths[::-1], size)
        self.head = nn.Sequential(
            nn.Linear(widths[-1], widths[-1]), nn.ReLU(), nn.Linear(widths[-1], self.projection)
        )

    def begin(self, batches: Iterable[Batch]) -> None:
        mean, axes = principal_components(lambda: (batch.pixels for batch in batches), self.latent)
        names = torch.cat([_names(batch.pixels) for batch in batches])
        codes = torch.cat([(shrunk(batch.pixels) - mean) @ axes for batch in batches])
        order = names.argsort(stable=True)
        self.names, self.latents = names[order], codes[order].float()

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        images = views_of(self.schedule, self.backbone, batch.pixels, batch.keys, progress)
        rows, known = self._rows(batch.pixels)
        codes = self._codes(rows, known).requires_grad_()
        decoded = self.decoder(codes)
        error = (at_least_float32(decoded) - images).square().mean()
        count = len(images)
        views = torch.cat([images, decoded, *every_variant(images, self.shifts)[1:]])
        seen = self._projected(self._pooled(views))
        contrast = pair_contrast(
            seen[:count], seen[count : 2 * count], seen[2 * count :], self.temperature
        )
        loss = error + self.weight * contrast
        (pull,) = torch.autograd.grad(loss, [codes], retain_graph=True)
        yield Update(loss, metrics={"decoder": error.detach(), "contrast": contrast.detach()})
        if known.any():  # the loss is a mean over the batch
            moves = -self.latent_rate * count * pull[known]
            self.latents.index_add_(0, rows[known], moves.to(self.latents.dtype))

    def _rows(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the latent vectors of images, and whether ``begin`` saw the image; (N,) each."""
        names = _names(pixels)
        if not len(self.names):
            return torch.zeros_like(names), torch.zeros_like(names, dtype=torch.bool)
        rows = torch.searchsorted(self.names, names).clamp(max=len(self.names) - 1)
        return rows, self.names[rows] == names

    def _codes(self, rows: Tensor, known: Tensor) -> Tensor:
        """Latent vectors (N, latent); zeros for an image that ``begin`` did not see."""
        codes = torch.zeros(len(rows), self.latent, device=rows.device)
        if known.any():
            codes[known] = self.latents[rows[known]]
        return codes

    def _pooled(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        pooled: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return pooled

    def _projected(self, pooled: Tensor) -> Tensor:
        projected: Tensor = self.head(pooled)
        return projected

    def outputs(self) -> tuple[str, ...]:
        return ("features", "projection")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        pooled = self._pooled(images)
        return {"features": pooled, "projection": self._projected(pooled)}


def _names(pixels: Tensor) -> Tensor:
    """A number for each image, (N,) int64, from the content of (N, 3, H, W) uint8 images."""
    return RandomKeys.from_images(CONTENT, pixels).values
