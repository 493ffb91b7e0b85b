"""The training method of iDECODe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, cast

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

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

SPLIT, TEST = 1, 2  #: seeds of the random keys of the split and of the test-time views


class Equivariance(Method):
    """Predicts the shift from a pair: an image and the shifted image (Kaur et al., AAAI 2022).

    The pooled features of both images are concatenated and pass through a linear layer and ReLU.
    The losses of the objective read the result, and one of them predicts the shift
    (``shift_logits``). The unshifted image counts as the first shift; like the shifted images it is
    jittered. Unshifted and shifted images pass through the network in separate batches.

    Some images are held out from training, to calibrate a score. The content of an image decides,
    so it is the same images in training and when a scorer is fitted, about a share ``held_out`` of
    any data set. The authors hold out the last 500 images of a class.

    Scorers can use ``features``, ``pair_error`` (the cross-entropy of each of ``draws`` x shifts
    jittered pairs) and ``held_out`` (1 or 0). Jitter at test time depends on the image only.

    Differences: the public code perturbs the features of the backbone by a thousandth of a learned
    standard deviation; here they are not changed. The last weights are kept; the public code
    keeps those with the smallest loss on the test images.

    Args:
        hidden: [inferred: iDECODe's code] Width of the linear layer.
        jitter: Augmentation of the second image of a pair; none by default.
        draws: [published: 5] Number of jittered pairs of each shift at test time.
        held_out: [published: 0.1] Share of the training images that are held out to calibrate.
        official_code: [inferred: iDECODe's code has it true] Treats the rows of all pairs, which
            are ordered by shift, as ordered by image, as the public code does. Then every loss
            without a classifier gets wrong shifts. At test time the errors of an image are those
            of four neighbours in its block, which are all normal or all anomalous. This raises
            AUROC, and a score then depends on the other images in the batch.
    """

    shifts_augmented = True

    def __init__(
        self,
        hidden: LayerWidth = 256,
        jitter: Augmentation | None = None,
        draws: ViewCount = 5,
        held_out: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
        official_code: bool = False,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.jitter = jitter
        self.draws = draws
        self.held_out = held_out
        self.official_code = official_code

    def setup(self, parts: MethodParts) -> None:
        self.backbone = parts.backbone
        self.shifts = parts.shifts
        self.schedule = parts.schedule
        last = len(self.backbone.widths)
        if self.schedule.levels(last) != [(last,)]:
            raise ValueError("equivariance needs a schedule that trains only the last stage")
        self.variants = count_variants(self.shifts)
        self.pair = nn.Linear(2 * self.backbone.widths[-1], self.hidden)
        self.terms = nn.ModuleList()
        self.weights: list[float] = []
        self.names: list[str] = []
        for term in parts.objective:
            stages = [last] if term.stages is None else list(term.stages)
            given = term.weight
            weights = [given] if isinstance(given, int | float) else list(given)
            if stages != [last] or len(weights) != 1:
                raise ValueError(f"equivariance needs terms with stage {last} only and one weight")
            loss = term.loss()
            loss.setup(LossDims(self.hidden, self.variants, parts.classes))
            self.terms.append(loss)
            self.weights.append(float(weights[0]))
            self.names.append(f"{term.name}_{last}")
        if not any("shift_logits" in loss.outputs for loss in self._losses()):
            raise ValueError("equivariance needs a loss that predicts the shift (shift_logits)")

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        kept = ~self._is_held_out(batch.pixels)
        if not bool(kept.any()):
            return
        keys = RandomKeys(batch.keys.values[kept])
        (stage,) = self.schedule.stages(len(self.backbone.widths), progress)
        images = stage.augmentation(batch.pixels[kept], keys.fold_in(0))
        pairs = self._pairs(images, self._pooled(images), keys.fold_in(1))
        views = replace(self._known(batch.label[kept]), progress=progress)
        total = pairs.new_zeros(())
        metrics: dict[str, Tensor] = {}
        for loss, weight, name in zip(self._losses(), self.weights, self.names, strict=True):
            seen = views if loss.outputs or not self.official_code else self._misread(views)
            value = loss(pairs, seen)
            metrics[name if name not in metrics else f"{name}_{len(metrics)}"] = value.detach()
            total = total + weight * value
        metrics["loss"] = total.detach()
        yield Update(total, metrics=metrics)

    def _losses(self) -> list[Loss]:
        return cast(list[Loss], list(self.terms))

    def outputs(self) -> tuple[str, ...]:
        return ("features", "pair_error", "held_out")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        pixels = (images * 255).round().to(torch.uint8)  # as step() gets them
        keys, features = RandomKeys.from_images(TEST, pixels), self._pooled(images)
        errors = [self._errors(images, features, keys.fold_in(draw)) for draw in range(self.draws)]
        held_out = self._is_held_out(pixels)[:, None].to(features.dtype)
        return {"features": features, "pair_error": torch.cat(errors, 1), "held_out": held_out}

    def _errors(self, images: Tensor, features: Tensor, keys: RandomKeys) -> Tensor:
        """Cross-entropy of the true shift, one jittered pair for each shift, shape (N, shifts)."""
        pairs = self._pairs(images, features, keys)
        classifier = next(loss for loss in self._losses() if "shift_logits" in loss.outputs)
        logits = classifier.predict(pairs)["shift_logits"]
        shift = torch.arange(self.variants, device=images.device).repeat_interleave(len(images))
        errors = F.cross_entropy(logits, shift, reduction="none")  # ordered by shift
        count = len(images), self.variants
        return errors.view(count) if self.official_code else errors.view(count[::-1]).T

    def _pairs(self, images: Tensor, features: Tensor, keys: RandomKeys) -> Tensor:
        """Hidden features of all pairs, shape (shifts x N, hidden), ordered by shift."""
        shifted = every_variant(images, self.shifts)
        if self.jitter is not None:
            shifted = [self.jitter(x, keys.fold_in(which)) for which, x in enumerate(shifted)]
        second = self._pooled(torch.cat(shifted))
        pairs = torch.cat([features.repeat(self.variants, 1), second], dim=1)
        hidden: Tensor = F.relu(self.pair(pairs))
        return hidden

    def _pooled(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.backbone(images)[-1]
        return features.mean(dim=(2, 3))

    def _known(self, label: Tensor) -> Views:
        rows = torch.arange(self.variants * len(label), device=label.device)
        shift = rows // len(label)
        return Views(rows % len(label), shift, label.repeat(self.variants), shift == 0)

    def _misread(self, views: Views) -> Views:
        rows = torch.arange(len(views), device=views.shift.device)
        shift = rows % self.variants
        return replace(views, source=rows // self.variants, shift=shift, inlier=shift == 0)

    def _is_held_out(self, pixels: Tensor) -> Tensor:
        """Mask of held-out images, shape (N,), from (N, 3, H, W) uint8 images."""
        return RandomKeys.from_images(SPLIT, pixels).uniform() < self.held_out
