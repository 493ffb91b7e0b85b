"""The training method of AnoGAN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import (
    Batch,
    Fraction,
    LayerWidth,
    Method,
    MethodParts,
    Positive,
    RandomKeys,
    Update,
)
from adframe.ops import at_least_float32
from adframe_backbones.dcgan import Generator
from adframe_methods.one_stage import USUAL, check_last_stage, last_map_size, views_of

from .search import in_equal_batches, search, uniform_codes

VIEW, CODE, SEARCH = 0, 1, 2  # tags and a seed of random keys


class AnoGAN(Method):
    """Trains a DCGAN, and searches the latent code of each test image (Schlegl et al., IPMI 2017).

    The backbone is the discriminator without its last layer. The generator has as many stages, with
    the same widths in reverse. Both are trained in turn with the usual loss that does not saturate.

    Scorers can use ``features``, the pooled features of the discriminator, and ``anomaly``,
    A(x) = (1 - feature_weight) x residual + feature_weight x difference of features, after
    ``steps`` steps of a search by gradients (scorer ``method_output``). The search starts from a
    code that depends on the content of the image only. It is done only if a scorer reads it. No
    stage but the last is trained, and shifts are not used.

    Args:
        latent: [published: 256 for AnoGAN on CIFAR-10 by Ruff et al., ICML 2018] Length of the
            latent code.
        feature_weight: [published: 0.1] Weight of the features of the discriminator, lambda.
        steps: [published: 500] Steps of the search.
        search_rate: [guess: 0.02] Learning rate of Adam in the search.
        search_batch: [guess: 16] Images that are searched together. A smaller batch is filled up:
            in batches of other sizes rounding differs, and the search amplifies it. Smaller ones
            than 8 are computed in another way.
    """

    ignores = ("objective", "shifts")

    def __init__(
        self,
        latent: LayerWidth = 256,
        feature_weight: Fraction = 0.1,
        steps: Annotated[int, Interval(ge=0, le=100_000)] = 500,
        search_rate: Positive = 0.02,
        search_batch: Annotated[int, Interval(ge=8, le=4096)] = 16,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.feature_weight = feature_weight
        self.steps = steps
        self.search_rate = search_rate
        self.search_batch = search_batch

    def setup(self, parts: MethodParts) -> None:
        check_last_stage(parts, "anogan")
        self.backbone = parts.backbone
        self.schedule = parts.schedule
        size = parts.image_size or USUAL
        self.generator = Generator(self.latent, self.backbone.widths[::-1], size)
        self.real = nn.Linear(last_map_size(self.backbone, size), 1)
        nn.init.normal_(self.real.weight, 0.0, 0.02)
        nn.init.zeros_(self.real.bias)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {
            "discriminator": [*self.backbone.parameters(), *self.real.parameters()],
            "generator": list(self.generator.parameters()),
        }

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        keys = batch.keys
        real = views_of(self.schedule, self.backbone, batch.pixels, keys.fold_in(VIEW), progress)
        fake = self.generator(uniform_codes(keys.fold_in(CODE), self.latent))
        logits = self._is_real(real), self._is_real(fake.detach())
        losses = F.softplus(-logits[0]).mean(), F.softplus(logits[1]).mean()
        yield Update(
            losses[0] + losses[1],
            "discriminator",
            {"real": losses[0].detach(), "fake": losses[1].detach()},
        )
        loss = F.softplus(-self._is_real(fake)).mean()
        yield Update(loss, "generator", {"generator": loss.detach()})

    def _map(self, images: Tensor) -> Tensor:
        last: Tensor = self.backbone(images.contiguous(memory_format=torch.channels_last))[-1]
        return last

    def _is_real(self, images: Tensor) -> Tensor:
        logits: Tensor = self.real(self._map(images).flatten(1))
        return at_least_float32(logits)

    def outputs(self) -> tuple[str, ...]:
        return ("features", "anomaly")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        return self.embed_only(images, self.outputs())

    def embed_only(self, images: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        found = {"features": self._map(images).mean(dim=(2, 3))}
        if "anomaly" in outputs:
            found["anomaly"] = self._searched(images)[:, None]
        return found

    def _searched(self, images: Tensor) -> Tensor:
        pixels = (images * 255).round().to(torch.uint8)
        start = uniform_codes(RandomKeys.from_images(SEARCH, pixels), self.latent)
        find = partial(
            search,
            generator=self.generator,
            features=self._map,
            steps=self.steps,
            rate=self.search_rate,
            weight=self.feature_weight,
        )
        return in_equal_batches(find, images, start, self.search_batch)
