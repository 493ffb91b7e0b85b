"""The training step of contrastive methods: shifts, views, stages, terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from adframe.interfaces import (
    Augmentation,
    Batch,
    Count,
    Loss,
    LossDims,
    Method,
    MethodParts,
    RandomKeys,
    Update,
    Views,
    count_variants,
    every_variant,
)

from .heads import ProjectionHead


class Contrastive(Method):
    """Views of inliers and of their shifts, through the network, into the objective's terms.

    Every image joins its batch once unshifted and once under each variant of each shift, so the
    ratio of inliers to virtual outliers is 1 : number of variants in every batch. Exposed outliers
    join it unshifted. Each stage of the schedule sees two augmented views of all of them, computed
    no deeper than that stage. The loss is Eq. 9 of Wang et al. (ICCV 2023): the terms' sum,
    weighted, divided by the number of stages that carry a term at the time.

    Scorers may ask for ``features`` and ``projection`` of the last stage, and for what the losses
    there predict.

    Args:
        projection: [inferred: CSI's code] Width of the embedding that losses compare.
        hidden: [inferred: CSI's code] Width of the projection head's hidden layer; the last
            stage's width by default.
        depth: [inferred: CSI's code] Number of the projection head's hidden layers; from 2 on
            each has batch normalisation, as in DROC.
        views: [published: 2] Augmented views of each image.
        pre_shift: What makes a view before it is shifted, beside the schedule's augmentation after
            it: a flip after a rotation would turn one class of rotations into another.
    """

    takes_exposed = True

    def __init__(
        self,
        projection: Count = 128,
        hidden: Count | None = None,
        depth: Count = 1,
        views: Count = 2,
        pre_shift: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self.projection = projection
        self.hidden = hidden
        self.depth = depth
        self.views = views
        self.pre_shift = pre_shift

    def setup(self, parts: MethodParts) -> None:
        self.backbone = parts.backbone
        self.shifts = parts.shifts
        self.schedule = parts.schedule
        self.variants = count_variants(parts.shifts)
        widths = self.backbone.widths
        plans = [
            {stage.level for stage in self.schedule.stages(len(widths), percent / 100)}
            for percent in range(101)
        ]
        trained = sorted(set().union(*plans))

        self.heads = nn.ModuleDict()
        self.terms = nn.ModuleDict()
        self.weights: dict[str, list[float]] = {}
        self.names: dict[str, list[str]] = {}
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
                self.names.setdefault(str(level), []).append(term.name)
        for percent, plan in enumerate(plans):
            if not any(str(level) in self.terms for level in plan):
                when = f" at {percent} % of the run" if self.terms else ""
                raise ValueError(f"the objective trains no stage{when}")

    def _attach(self, loss: Loss, level: int, weight: float, classes: int) -> None:
        widths, key = self.backbone.widths, str(level)
        width = widths[level - 1]
        if loss.reads == "projection":
            width = self.projection
            if key not in self.heads:
                hidden = self.hidden or widths[-1]
                self.heads[key] = ProjectionHead(
                    widths[level - 1 :], hidden, self.projection, self.depth
                )
        loss.setup(LossDims(width, self.variants, classes))
        if key not in self.terms:
            self.terms[key], self.weights[key] = nn.ModuleList(), []
        self.terms[key].append(loss)
        self.weights[key].append(weight)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        pixels, views, keys = self.shifted_views(batch)
        total: Tensor | None = None
        metrics: dict[str, Tensor] = {}
        plan = self.schedule.stages(len(self.backbone.widths), progress)
        plan = [stage for stage in plan if str(stage.level) in self.terms]
        for stage in plan:
            key = str(stage.level)
            images = stage.augmentation(pixels, keys.fold_in(stage.level).repeat(self.views))
            images = images.contiguous(memory_format=torch.channels_last)
            features = self.backbone(images, stage.level)[-1]
            seen = replace(views, images=images)
            read = self._read(features, key)
            terms = zip(self.terms[key], self.weights[key], self.names[key], strict=True)
            for loss, weight, term in terms:
                value = loss(read[loss.reads], seen)
                name = f"{term}_{key}"
                metrics[name if name not in metrics else f"{name}_{len(metrics)}"] = value.detach()
                value = value * (weight / len(plan))
                total = value if total is None else total + value
        assert total is not None, "setup refuses an objective without a trained stage"
        metrics["loss"] = total.detach()
        yield Update(total, metrics=metrics)

    def shifted_views(self, batch: Batch) -> tuple[Tensor, Views, RandomKeys]:
        """Every view of the batch under every variant of every shift, not yet augmented.

        Returns:
            images, what is known of each row, and keys for the rows of one view.
        """
        rows: list[Tensor] = []
        for view in range(self.views):
            rows += every_variant(self._early(batch, view), self.shifts)
            if batch.exposed is not None:
                rows.append(self._early(batch.exposed, view))
        keys = [batch.keys.repeat(self.variants).values]
        if batch.exposed is not None:
            keys.append(batch.exposed.keys.repeat(1).values)
        return torch.cat(rows), self._known(batch).repeat(self.views), RandomKeys(torch.cat(keys))

    def _early(self, batch: Batch, view: int) -> Tensor:
        """A view's images as they are shifted."""
        if self.pre_shift is None:
            return batch.pixels
        return self.pre_shift(batch.pixels, batch.keys.fold_in(view))

    def _known(self, batch: Batch) -> Views:
        """What is known of the rows of one view."""
        labels, count, device = batch.label, len(batch.pixels), batch.label.device
        others = 0 if batch.exposed is None else len(batch.exposed.pixels)
        shift = torch.arange(self.variants, device=device).repeat_interleave(count)
        source = torch.arange(count, device=device).repeat(self.variants)
        beside = torch.arange(count, count + others, device=device)
        return Views(
            source=torch.cat([source, beside]),
            shift=torch.cat([shift, shift.new_zeros(others)]),
            label=torch.cat([labels.repeat(self.variants), labels.new_full((others,), -1)]),
            inlier=torch.cat([shift == 0, shift.new_zeros(others, dtype=torch.bool)]),
        )

    def _read(self, features: Tensor, key: str) -> dict[str, Tensor]:
        """What losses compare of a stage's feature map."""
        read = {"features": features.mean(dim=(2, 3))}
        if key in self.heads:
            read["projection"] = self.heads[key](features)
        return read

    def outputs(self) -> tuple[str, ...]:
        last = str(len(self.backbone.widths))
        heads = ("projection",) if last in self.heads else ()
        predicted = (name for loss in self._last_terms() for name in loss.outputs)
        return ("features", *heads, *predicted)

    def _last_terms(self) -> Iterable[Loss]:
        last = str(len(self.backbone.widths))
        return cast(Iterable[Loss], self.terms[last]) if last in self.terms else ()

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        last = str(len(self.backbone.widths))
        read = self._read(self.backbone(images)[-1], last)
        for loss in self._last_terms():
            read |= loss.predict(read[loss.reads])
        return read


def _weights(weight: float | Sequence[float], levels: list[int]) -> list[float]:
    if isinstance(weight, int | float):
        return [float(weight)] * len(levels)
    if len(weight) != len(levels):
        raise ValueError(f"{len(weight)} weights for stages {_list(levels)}")
    return list(weight)


def _list(levels: list[int]) -> str:
    return ", ".join(str(level) for level in levels)
