"""Losses that read the progress of the run, the images, or several stages; a schedule in steps."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe import Add, hookimpl
from adframe.interfaces import (
    Augmentation,
    Batch,
    Fraction,
    Loss,
    LossDims,
    Method,
    MethodParts,
    MethodWrapper,
    NonNegative,
    Positive,
    Schedule,
    Stage,
    Update,
    Views,
)
from adframe.ops import group_contrast


class Annealed(Loss):
    """Contrastive loss whose temperature falls over the run.

    Args:
        start: [guess: 1] Temperature at the start.
        end: [guess: 0.1] Temperature at the end.
    """

    def __init__(self, start: Positive = 1.0, end: Positive = 0.1) -> None:
        super().__init__()
        self.start, self.end = start, end

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        temperature = self.start + (self.end - self.start) * views.progress
        return group_contrast(embeddings, views.instance(), temperature).mean()


class Thumbnail(Loss):
    """Mean squared error of a view's 8x8 thumbnail, predicted from its features."""

    reads = "features"

    def setup(self, dims: LossDims) -> None:
        self.decoder = nn.Linear(dims.embedding, 3 * 8 * 8)

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        assert views.images is not None
        small = F.adaptive_avg_pool2d(views.images.float(), 8).flatten(1)
        return F.mse_loss(self.decoder(embeddings), small)


class Staircase(Schedule):
    """Mild augmentation in the first half of the run, the full one in the second.

    Args:
        augmentation: The augmentation of the views.
        mild: [guess: 0.3] Strength in the first half.
    """

    def __init__(self, augmentation: Augmentation, mild: Fraction = 0.3) -> None:
        self.augmentation, self.mild = augmentation, mild

    def stages(self, levels: int, progress: float) -> list[Stage]:
        strength = self.mild if progress < 0.5 else 1.0
        return [Stage(levels, partial(self.augmentation, strength=strength))]


class CrossStage(MethodWrapper):
    """Another method, and a loss across stages: each stage predicts the last one's features.

    Args:
        of: The method.
        weight: [guess: 1] Weight of that loss at the end of the run; it rises from zero.
    """

    def __init__(self, of: Method, weight: NonNegative = 1.0) -> None:
        super().__init__(of)
        self.weight = weight

    def setup(self, parts: MethodParts) -> None:
        super().setup(parts)
        self.schedule, (*early, last) = parts.schedule, parts.backbone.widths
        self.predict = nn.ModuleList(nn.Linear(width, last) for width in early)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        for update in self.of.step(batch, progress):
            extra = self.distil(batch, progress)
            loss = update.loss + self.weight * progress * extra
            yield replace(update, loss=loss, metrics={**update.metrics, "distil": extra.detach()})

    def distil(self, batch: Batch, progress: float) -> Tensor:
        levels = len(self.predict) + 1
        stage = self.schedule.stages(levels, progress)[-1]
        images = stage.augmentation(batch.pixels, batch.keys.fold_in(99))
        *early, last = (each.mean((2, 3)) for each in self.feature_maps(images, levels))
        told = (predict(z) for predict, z in zip(self.predict, early, strict=True))
        return 1 - torch.stack([F.cosine_similarity(z, last.detach()).mean() for z in told]).mean()


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "annealed", Annealed)
    add("loss", "thumbnail", Thumbnail)
    add("schedule", "staircase", Staircase)
    add("method", "cross_stage", CrossStage)
