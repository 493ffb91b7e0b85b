"""The training methods of Deep SVDD and Deep SAD."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import (
    Batch,
    Fraction,
    LayerWidth,
    MethodParts,
    NonNegative,
    Positive,
    Update,
)
from adframe.ops import at_least_float32, to_float
from adframe_methods.one_stage import views_of

from .encoder import Encoding
from .losses import deep_sad, keep_from_zero, one_class, radius_of, soft_boundary

logger = logging.getLogger("adframe")


class _Hypersphere(Encoding):
    """A network that maps inliers close to a centre, which a first pass over them fixes."""

    called = "a hypersphere"
    centre: Tensor

    def __init__(self, embedding: LayerWidth, least: NonNegative) -> None:
        super().__init__(embedding)
        self.least = least
        self.register_buffer("centre", torch.zeros(embedding))

    def setup(self, parts: MethodParts) -> None:
        super().setup(parts)
        biased = [name for name, _ in self.backbone.named_parameters() if name.endswith("bias")]
        if biased:
            logger.warning(
                "the network has bias terms (%s, ...): it can map all images to the centre; "
                "Deep SVDD uses none",
                biased[0],
            )

    def begin(self, batches: Iterable[Batch]) -> None:
        total, count = torch.zeros_like(self.centre, dtype=torch.float64), 0
        for batch in batches:
            total += self._embedded(to_float(batch.pixels)).double().sum(0)
            count += len(batch.pixels)
        self.centre.copy_(keep_from_zero(total / count, self.least))

    def _distance(self, embedded: Tensor) -> Tensor:
        """Squared distances (N,) of embeddings from the centre."""
        return (at_least_float32(embedded) - self.centre).square().sum(1)

    def _views(self, batch: Batch, progress: float) -> Tensor:
        return views_of(self.schedule, self.backbone, batch.pixels, batch.keys, progress)

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        embedded = self._embedded(images)
        return {"features": embedded, "anomaly": self._distance(embedded)[:, None]}


class DeepSVDD(_Hypersphere):
    """Maps inliers close to a fixed centre (Deep SVDD, Ruff et al., ICML 2018).

    The last feature map passes through a linear layer without bias. The centre is the mean
    embedding of the training images before training. The loss is the mean squared distance from the
    centre; with ``soft_boundary`` it is the square of the radius of a sphere, and what exceeds it.
    No stage but the last is trained, and shifts are not used.

    Scorers can use ``features``, the embedding, and ``anomaly``, the squared distance from the
    centre (minus the squared radius; scorer ``method_output``).

    Differences: the public code starts with the encoder of an autoencoder, which it trains before
    for 350 epochs. Here that is another run, of the method ``autoencoder`` (``start: init_from``).

    Args:
        embedding: [inferred: Deep SVDD's code] Width of the embedding.
        soft_boundary: [published: both forms] Whether a share ``nu`` of the images may lie outside
            of the sphere.
        nu: [inferred: 0.1 in Deep SVDD's code] That share.
        warmup: [inferred: 10 of 150 epochs in Deep SVDD's code] Share of the run in which the
            radius stays 0; then it is the quantile of each batch.
        least: [inferred: Deep SVDD's code] Smallest absolute value of a coordinate of the centre.
            Zero weights would map all images to a centre of zero.
    """

    radius: Tensor

    def __init__(
        self,
        embedding: LayerWidth = 128,
        soft_boundary: bool = False,
        nu: Annotated[float, Interval(gt=0, lt=1)] = 0.1,
        warmup: Fraction = 0.0667,
        least: NonNegative = 0.1,
    ) -> None:
        super().__init__(embedding, least)
        self.soft_boundary = soft_boundary
        self.nu = nu
        self.warmup = warmup
        self.register_buffer("radius", torch.zeros(()))

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        distance = self._distance(self._embedded(self._views(batch, progress)))
        if not self.soft_boundary:
            yield Update(one_class(distance))
            return
        loss = soft_boundary(distance, self.radius, self.nu)
        yield Update(loss, metrics={"radius": self.radius.clone()})
        if progress >= self.warmup:
            self.radius.copy_(radius_of(distance, self.nu))

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        found = super().embed(images)
        return {**found, "anomaly": found["anomaly"] - self.radius.square()}


class DeepSAD(_Hypersphere):
    """Deep SVDD with known outliers, which are pushed away (Deep SAD, Ruff et al., ICLR 2020).

    The loss is the mean of the squared distance of each inlier from the centre, and of ``weight`` /
    that distance of each known outlier (``exposure``). Without known outliers it is that of Deep
    SVDD. The centre is the mean embedding of the training images before training. No stage but the
    last is trained, and shifts are not used.

    Scorers can use ``features``, the embedding, and ``anomaly``, the squared distance (scorer
    ``method_output``).

    Differences: the autoencoder is another run, as for ``deep_svdd``. The public code has
    unlabelled, normal and anomalous images; here training images are the unlabelled ones, and none
    is labelled normal. Its centre is the mean of known outliers, too.

    Args:
        embedding: [inferred: Deep SAD's code] Width of the embedding.
        weight: [published: 1] Weight of a known outlier, eta.
        least: [inferred: Deep SAD's code] Smallest absolute value of a coordinate of the centre.
    """

    takes_exposed = True

    def __init__(
        self, embedding: LayerWidth = 128, weight: Positive = 1.0, least: NonNegative = 0.1
    ) -> None:
        super().__init__(embedding, least)
        self.weight = weight

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        views, known = [self._views(batch, progress)], 0
        if batch.exposed is not None:
            views.append(self._views(batch.exposed, progress))
            known = len(batch.exposed.pixels)
        distance = self._distance(self._embedded(torch.cat(views)))
        anomalous = torch.arange(len(distance), device=distance.device) >= len(distance) - known
        yield Update(deep_sad(distance, anomalous, self.weight))
