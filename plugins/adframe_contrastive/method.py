"""The training step of contrastive methods: shifts, views, stages, terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from adframe.interfaces import Batch, Count, Dims, Loss, Method, Parts, Update, Views

from .heads import ProjectionHead


class Contrastive(Method):
    """Views of inliers and of their shifts, through the network, into the objective's terms.

    Every image joins its batch once unshifted and once under each variant of each shift, so the
    ratio of inliers to virtual outliers is 1 : number of variants in every batch. Each stage of
    the schedule sees two augmented views of all of them, computed no deeper than that stage. The
    loss is Eq. 9 of Wang et al. (ICCV 2023): the terms' sum, weighted, divided by the number of
    stages that carry a term.

    Args:
        projection: [inferred: CSI's code] Width of the embedding that losses compare.
        hidden: [inferred: CSI's code] Width of the projection head's hidden layer; the last
            stage's width by default.
    """

    def __init__(self, projection: Count = 128, hidden: Count | None = None) -> None:
        super().__init__()
        self.projection = projection
        self.hidden = hidden

    def setup(self, parts: Parts) -> None:
        self.backbone = parts.backbone
        self.shifts = parts.shifts
        self.schedule = parts.schedule
        self.variants = 1 + sum(shift.variants for shift in parts.shifts)
        widths = self.backbone.widths
        trained = [stage.level for stage in self.schedule.stages(len(widths), 0.0)]

        self.heads = nn.ModuleDict()
        self.terms = nn.ModuleDict()
        self.weights: dict[str, list[float]] = {}
        for term in parts.objective:
            levels = trained if term.stages is None else list(term.stages)
            if len(set(levels)) != len(levels):
                raise ValueError(f"a term names a stage twice: {_list(levels)}")
            for level, weight in zip(levels, _weights(term.weight, levels), strict=True):
                if level not in trained:
                    raise ValueError(
                        f"a term is for stage {level}, but the schedule trains {_list(trained)}"
                    )
                loss = term.loss()
                self._attach(loss, level, weight, parts.classes)
        self.used = [level for level in trained if str(level) in self.terms]
        if not self.used:
            raise ValueError("the objective trains no stage")

    def _attach(self, loss: Loss, level: int, weight: float, classes: int) -> None:
        widths, key = self.backbone.widths, str(level)
        width = widths[level - 1]
        if loss.reads == "projection":
            width = self.projection
            if key not in self.heads:
                hidden = self.hidden or widths[-1]
                self.heads[key] = ProjectionHead(widths[level - 1 :], hidden, self.projection)
        loss.setup(Dims(width, self.variants, classes))
        if key not in self.terms:
            self.terms[key], self.weights[key] = nn.ModuleList(), []
        self.terms[key].append(loss)
        self.weights[key].append(weight)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        pixels, views = self.shifted(batch)
        draws = batch.draws.repeat(self.variants)
        pixels, views = pixels.repeat(2, 1, 1, 1), views.repeat(2)  # two augmented views of each
        total: Tensor | None = None
        metrics: dict[str, Tensor] = {}
        for stage in self.schedule.stages(len(self.backbone.widths), progress):
            key = str(stage.level)
            if key not in self.terms:
                continue
            images = stage.augmentation(pixels, draws.fork(stage.level).repeat(2))
            images = images.contiguous(memory_format=torch.channels_last)
            features = self.backbone(images, stage.level)[-1]
            seen = Views(views.source, views.shift, views.label, views.inlier, images)
            projection = self.heads[key](features) if key in self.heads else None
            for loss, weight in zip(self.terms[key], self.weights[key], strict=True):
                read = projection if loss.reads == "projection" else features.mean(dim=(2, 3))
                value = loss(read, seen)
                name = f"{type(loss).__name__.lower()}_{key}"
                metrics[name if name not in metrics else f"{name}_{len(metrics)}"] = value.detach()
                value = value * (weight / len(self.used))
                total = value if total is None else total + value
        assert total is not None, "setup refuses an objective without a trained stage"
        metrics["loss"] = total.detach()
        yield Update(total, metrics=metrics)

    def shifted(self, batch: Batch) -> tuple[Tensor, Views]:
        """The batch under every variant of every shift, the unshifted images first."""
        pixels, labels, count = [batch.pixels], batch.label, len(batch.pixels)
        for shift in self.shifts:
            pixels += [shift(batch.pixels, variant + 1) for variant in range(shift.variants)]
        device = labels.device
        which = torch.arange(self.variants, device=device).repeat_interleave(count)
        source = torch.arange(count, device=device).repeat(self.variants)
        views = Views(source, which, labels.repeat(self.variants), inlier=which == 0)
        return torch.cat(pixels), views

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        features = self.backbone(images)[-1]
        return {"features": features.mean(dim=(2, 3))}


def _weights(weight: float | Sequence[float], levels: list[int]) -> list[float]:
    if isinstance(weight, int | float):
        return [float(weight)] * len(levels)
    if len(weight) != len(levels):
        raise ValueError(f"{len(weight)} weights for stages {_list(levels)}")
    return list(weight)


def _list(levels: list[int]) -> str:
    return ", ".join(str(level) for level in levels)
