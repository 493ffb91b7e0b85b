"""The training method of PLAD."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from adframe.interfaces import Batch, LayerWidth, Method, MethodParts, NonNegative, Update
from adframe_methods.one_stage import USUAL, check_last_stage, last_map_size, views_of

from .loss import classification_loss, size_of_perturbation


class Perturbator(nn.Module):
    """Multiplies and shifts each pixel of an image, by a network of that image.

    Args:
        size: height and width of the images.
        hidden: width of the two hidden layers.
    """

    def __init__(self, size: tuple[int, int], hidden: int) -> None:
        super().__init__()
        pixels = 3 * size[0] * size[1]
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * pixels),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Factors alpha and summands beta, each of the shape of the images, (N, 3, H, W)."""
        alpha, beta = self.layers(images).chunk(2, dim=1)
        return 1 + alpha.view(images.shape), beta.view(images.shape)


class PLAD(Method):
    """Classifies images and learned perturbations of them (PLAD, Cai & Fan, NeurIPS 2022).

    A perturbator g gives (alpha, beta) = g(x); the perturbed image is x * alpha + beta. A
    classifier f separates images from perturbed ones. Both minimise one loss: the cross-entropy of
    both, and ``weight`` x (|alpha - 1|^2 + |beta|^2). So the perturbations become as small as the
    classifier can still see. The authors published no code. No stage but the last is trained, and
    shifts are not used.

    Scorers can use ``features``, the hidden layer of the classifier, and ``anomaly``, its logit
    f(x) (scorer ``method_output``).

    Args:
        weight: [guess: 0.01, among the values of code by others] Weight of the size of the
            perturbations, lambda. The size is summed over the pixels, of images in 0..1.
        hidden: [guess: 128] Width of the hidden layer of the classifier, after the backbone.
        perturbator: [guess: 512] Width of the two hidden layers of the perturbator.
    """

    ignores = ("objective", "shifts")

    def __init__(
        self, weight: NonNegative = 0.01, hidden: LayerWidth = 128, perturbator: LayerWidth = 512
    ) -> None:
        super().__init__()
        self.weight = weight
        self.hidden = hidden
        self.width = perturbator

    def setup(self, parts: MethodParts) -> None:
        check_last_stage(parts, "plad")
        self.backbone = parts.backbone
        self.schedule = parts.schedule
        size = parts.image_size or USUAL
        self.perturbator = Perturbator(size, self.width)
        self.layer = nn.Linear(last_map_size(self.backbone, size), self.hidden)
        self.classifier = nn.Linear(self.hidden, 1)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        images = views_of(self.schedule, self.backbone, batch.pixels, batch.keys, progress)
        alpha, beta = self.perturbator(images)
        both = torch.cat([images, images * alpha + beta])  # one batch for batch normalisation
        normal, perturbed = self._logit(self._hidden(both)).chunk(2)
        separation = classification_loss(normal, perturbed)
        size = size_of_perturbation(alpha, beta)
        metrics = {"classification": separation.detach(), "perturbation": size.detach()}
        yield Update(separation + self.weight * size, metrics=metrics)

    def _hidden(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        hidden: Tensor = torch.relu(self.layer(self.backbone(images)[-1].flatten(1)))
        return hidden

    def _logit(self, hidden: Tensor) -> Tensor:
        logit: Tensor = self.classifier(hidden)[:, 0]
        return logit

    def outputs(self) -> tuple[str, ...]:
        return ("features", "anomaly")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        hidden = self._hidden(images)
        return {"features": hidden, "anomaly": self._logit(hidden)[:, None]}
