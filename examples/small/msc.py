"""Mean-shifted contrastive loss (Reiss and Hoshen, AAAI 2023)."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe import Add, hookimpl
from adframe.interfaces import Batch, Method, MethodParts, Positive, Update


class MeanShifted(Method):
    """Contrasts views around the centre of the training features; for pretrained networks.

    Args:
        temperature: [published: 0.25] Divides the cosine.
    """

    ignores = ("objective", "shifts")

    def __init__(self, temperature: Positive = 0.25) -> None:
        super().__init__()
        self.temperature = temperature

    def setup(self, parts: MethodParts) -> None:
        self.backbone, self.schedule = parts.backbone, parts.schedule
        self.register_buffer("centre", torch.zeros(parts.backbone.widths[-1]))

    def begin(self, batches: Iterable[Batch]) -> None:
        found = [self.embed(batch.pixels / 255)["features"] for batch in batches]
        self.centre = torch.cat(found).mean(0)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        augment = self.schedule.stages(len(self.backbone.widths), progress)[-1].augmentation
        images = augment(batch.pixels.repeat(2, 1, 1, 1), batch.keys.repeat(2))
        z = F.normalize(self.embed(images)["features"] - self.centre)
        logits = (z @ z.T / self.temperature).fill_diagonal_(-torch.inf)
        other = torch.arange(len(z), device=z.device).roll(len(z) // 2)
        yield Update(F.cross_entropy(logits, other))

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": F.normalize(self.backbone(images)[-1].mean((2, 3)))}


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "mean_shifted", MeanShifted)
