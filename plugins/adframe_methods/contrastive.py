"""The training method of contrastive losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal, cast

import torch
from annotated_types import Interval
from torch import Tensor, nn

from adframe import UserError
from adframe.interfaces import (
    Augmentation,
    Batch,
    LayerWidth,
    Loss,
    LossDims,
    Method,
    MethodParts,
    RandomKeys,
    Update,
    ViewCount,
    Views,
    count_variants,
    every_variant,
)
from adframe.ops import early_gradient

from .heads import ProjectionHead


class Contrastive(Method):
    """Contrastive training on augmented views of inliers and of virtual outliers.

    A batch holds each image unshifted and under each variant of each shift. So the ratio of inliers
    to virtual outliers is 1 : number of variants in every batch. Exposed outliers are added
    unshifted. Each stage of the schedule gets its own augmented views of all of them. Nothing
    deeper than that stage is computed. The loss is the weighted sum of the terms of all stages,
    divided by a number of stages (Eq. 9 of Wang et al., ICCV 2023; see ``divisor``).

    Scorers can use ``features`` and ``projection`` of the last stage, and the predictions of the
    losses at the last stage.

    Args:
        projection: [inferred: CSI's code] Width of the embedding that losses compare.
        hidden: [inferred: CSI's code] Width of the hidden layers of the projection head; the width
            of the last stage by default.
        depth: [inferred: CSI's code] Number of hidden layers of the projection head. From 2 on,
            each has batch normalisation and no bias, as in DROC.
        projection_bias: [inferred: CSI's code has it true, DROC's false] Whether the last layer of
            the projection head has a bias.
        views: [published: 2] Number of augmented views of each image.
        pre_shift: Augmentation before the shift, in addition to that of the schedule after the
            shift. For example a flip: after a rotation it would change the class of the rotation.
        independent: [inferred: DROC's code has it true for rotations] Whether each shift of a view
            gets its own draw of ``pre_shift``. By default the shifts of a view share one.
        divisor: [inferred: CSI's code, where only the last stage has a loss] What the sum is
            divided by. ``trained``: the stages that have a term at that time. ``network``: the
            stages of the backbone, trained or not, as Eq. 9 is printed (1/4). Then a stage trains
            equally fast in all rows of an ablation.
    """

    takes_exposed = True

    def __init__(
        self,
        projection: LayerWidth = 128,
        hidden: LayerWidth | None = None,
        depth: Annotated[int, Interval(ge=1, le=64)] = 1,
        views: ViewCount = 2,
        pre_shift: Augmentation | None = None,
        divisor: Literal["trained", "network"] = "trained",
        independent: bool = False,
        projection_bias: bool = True,
    ) -> None:
        super().__init__()
        self.projection = projection
        self.hidden = hidden
        self.depth = depth
        self.views = views
        self.pre_shift = pre_shift
        self.divisor = divisor
        self.independent = independent
        self.projection_bias = projection_bias

    def setup(self, parts: MethodParts) -> None:
        self.backbone = parts.backbone
        self.shifts = parts.shifts
        self.schedule = parts.schedule
        self.variants = count_variants(parts.shifts)
        widths = self.backbone.widths
        plans = self.schedule.levels(len(widths))
        trained = sorted({level for plan in plans for level in plan})

        self.heads = nn.ModuleDict()
        self.terms = nn.ModuleDict()
        self.weights: dict[str, list[float]] = {}
        self.names: dict[str, list[str]] = {}
        for term in parts.objective:
            levels = trained if term.stages is None else list(term.stages)
            if len(set(levels)) != len(levels):
                raise ValueError(f"a term of the objective lists a stage twice: {_list(levels)}")
            for level, weight in zip(levels, _weights(term.weight, levels), strict=True):
                if level not in trained:
                    raise ValueError(
                        f"a term has stage {level}, but the schedule trains {_list(trained)}"
                    )
                loss = term.loss()
                self._attach(loss, level, weight, parts.classes)
                self.names.setdefault(str(level), []).append(term.name)
        if not self.terms:
            raise ValueError("the objective trains no stage")
        for plan in plans:
            if not any(str(level) in self.terms for level in plan):
                stages = f"only stages {_list(plan)}" if plan else "no stage"
                raise ValueError(
                    f"for a part of the run the schedule trains {stages}, "
                    "for which the objective has no term"
                )

    def _attach(self, loss: Loss, level: int, weight: float, classes: int) -> None:
        widths, key = self.backbone.widths[level - 1 :], str(level)
        width = widths[0]
        if loss.reads == "projection":
            width = self.projection
            if key not in self.heads:
                hidden = self.hidden or widths[-1]
                head = ProjectionHead(widths, hidden, width, self.depth, self.projection_bias)
                self.heads[key] = head
        loss.setup(LossDims(width, self.variants, classes))
        self.terms[key] = nn.ModuleList([*self._losses(level), loss])
        self.weights.setdefault(key, []).append(weight)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        pixels, views, keys = self.shifted_views(batch)
        total: Tensor | float = 0.0
        metrics: dict[str, Tensor] = {}
        plan = self.schedule.stages(len(self.backbone.widths), progress)
        plan = [stage for stage in plan if str(stage.level) in self.terms]
        if not plan:
            raise UserError(f"the objective trains no stage at {progress:.4%} of the run")
        stages = len(plan) if self.divisor == "trained" else len(self.backbone.widths)
        for stage in plan:
            key = str(stage.level)
            own = keys.fold_in(stage.level).repeat(self.views)
            images = self.by_rows(stage.augmentation, pixels, own)
            read = self.by_rows(partial(self._embedded, stage.level), images)
            seen = replace(views, images=images, progress=progress)
            losses = self._losses(stage.level)
            terms = zip(losses, self.weights[key], self.names[key], strict=True)
            part: Tensor | float = 0.0
            for loss, weight, term in terms:
                value = loss(read[loss.reads], seen)
                name = f"{term}_{key}"
                metrics[name if name not in metrics else f"{name}_{len(metrics)}"] = value.detach()
                part = part + value * (weight / stages)
            assert isinstance(part, Tensor)
            # Stages share only weights, so each frees its maps before the next one makes its own.
            alone = len(plan) == 1
            total = total + (part if alone else early_gradient(part, list(self.parameters())))
            del read, value
        assert isinstance(total, Tensor)
        metrics["loss"] = total.detach()
        yield Update(total, metrics=metrics)

    def shifted_views(self, batch: Batch) -> tuple[Tensor, Views, RandomKeys]:
        """All views of the batch under each variant of each shift, before augmentation.

        Returns:
            images, metadata of each row, and the random keys of the rows of one view.
        """
        rows: list[Tensor] = []
        for view in range(self.views):
            own = [self._before_shift(batch, view, v) for v in range(self._draws())]
            rows += every_variant(own if len(own) > 1 else own[0], self.shifts)
            if batch.exposed is not None:
                rows.append(self._before_shift(batch.exposed, view))
        keys = [batch.keys.repeat(self.variants).values]
        if batch.exposed is not None:
            keys.append(batch.exposed.keys.repeat(1).values)
        return torch.cat(rows), self._known(batch).repeat(self.views), RandomKeys(torch.cat(keys))

    def _draws(self) -> int:
        """Number of draws of ``pre_shift`` for a view of an image."""
        return self.variants if self.independent and self.pre_shift is not None else 1

    def _before_shift(self, batch: Batch, view: int, variant: int = 0) -> Tensor:
        """Images of a view, prepared for one shift, or for all."""
        if self.pre_shift is None:
            return batch.pixels
        keys = batch.keys.fold_in(view)
        return self.pre_shift(batch.pixels, keys.fold_in(variant) if variant else keys)

    def _known(self, batch: Batch) -> Views:
        """Metadata of the rows of one view."""
        labels, count, device = batch.label, len(batch.pixels), batch.label.device
        others = 0 if batch.exposed is None else len(batch.exposed.pixels)
        shift = torch.arange(self.variants, device=device).repeat_interleave(count)
        source = torch.arange(count, device=device).repeat(self.variants)
        exposed = torch.arange(count, count + others, device=device)
        return Views(
            source=torch.cat([source, exposed]),
            shift=torch.cat([shift, shift.new_zeros(others)]),
            label=torch.cat([labels.repeat(self.variants), labels.new_full((others,), -1)]),
            inlier=torch.cat([shift == 0, shift.new_zeros(others, dtype=torch.bool)]),
        )

    def _embedded(self, level: int, images: Tensor) -> dict[str, Tensor]:
        images = images.contiguous(memory_format=torch.channels_last)
        return self._read(self.backbone(images, level)[-1], str(level))

    def _read(self, features: Tensor, key: str) -> dict[str, Tensor]:
        """Embeddings of a stage by name, from its feature map."""
        read = {"features": features.mean(dim=(2, 3))}
        if key in self.heads:
            read["projection"] = self.heads[key](features)
        return read

    def outputs(self) -> tuple[str, ...]:
        last = str(len(self.backbone.widths))
        heads = ("projection",) if last in self.heads else ()
        predicted = (name for loss in self._losses() for name in loss.outputs)
        return ("features", *heads, *predicted)

    def _losses(self, level: int | None = None) -> list[Loss]:
        """The losses of a stage, by default of the last one."""
        key = str(level or len(self.backbone.widths))
        return cast(list[Loss], list(self.terms[key].children())) if key in self.terms else []

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        last = str(len(self.backbone.widths))
        read = self._read(self.backbone(images)[-1], last)
        for loss in self._losses():
            read |= loss.predict(read[loss.reads])
        return read


def _weights(weight: float | Sequence[float], levels: list[int]) -> list[float]:
    if isinstance(weight, int | float):
        return [float(weight)] * len(levels)
    if len(weight) != len(levels):
        raise ValueError(f"{len(weight)} weights for stages {_list(levels)}")
    return list(weight)


def _list(levels: Sequence[int]) -> str:
    return ", ".join(str(level) for level in levels)
