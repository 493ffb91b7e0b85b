"""Cost of a table cell in view passes, computed before its run.

A view pass is one view of one image through the whole backbone, forward and backward. A view that
ends at stage i counts as the share of multiply-adds in stages 1..i. A view with fewer pixels counts
as its share, too. Views and depths are counted, not assumed: the method takes steps on a few random
images, at several times of the run, and the calls of the backbone are counted. Heads, losses,
augmentation and evaluation are not counted.
"""

from __future__ import annotations

import json

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from adframe.config.model import RunConfig
from adframe.engine.build import assemble
from adframe.interfaces import Backbone, Batch, RandomKeys

IMAGES, WITH_EXPOSED = 2, 8  # per counted step; more with outlier exposure, for its ratio
TIMES = 20  # counted steps, evenly spread over a run


class Costs:
    """Counter of view passes; configs that differ only in data, training and seed share a count."""

    def __init__(self) -> None:
        self._known: dict[str, float | None] = {}

    def passes(self, config: RunConfig, images: int, size: int) -> float | None:
        """View passes of a run's training; None for a method that calls no backbone."""
        facts = config.dump()
        key = {name: facts[name] for name in facts if name not in ("seed", "dataset", "train")}
        text = json.dumps([key, size], sort_keys=True)
        if text not in self._known:
            self._known[text] = per_image(config, size)
        each = self._known[text]
        return None if each is None else each * seen_images(config, images)


def seen_images(config: RunConfig, images: int) -> int:
    """Training images of a run, over all epochs, without those of omitted batches."""
    rest = images % min(config.train.batch_size, images)
    kept = rest > 1 and not config.train.drop_last
    return config.train.epochs * (images if kept else images - rest)


def per_image(config: RunConfig, size: int) -> float | None:
    """Mean view passes per image and epoch; None if the method calls no backbone."""
    passes = course(config, size)
    return sum(passes) / TIMES if any(passes) else None


def course(config: RunConfig, size: int) -> list[float]:
    """View passes per image, at ``TIMES`` times evenly spread over a run."""
    method = assemble(config, image_size=(size, size)).method
    backbones = [module for module in method.modules() if isinstance(module, Backbone)]
    counters = [_Counter(backbone, size) for backbone in backbones]
    count = WITH_EXPOSED if config.exposure else IMAGES
    batch = _batch(count, size)
    if config.exposure:
        batch.exposed = _batch(round(count * config.exposure.ratio), size)
    passes = []
    for time in range(TIMES):
        before = sum(counter.passes for counter in counters)
        for _ in method.step(batch, (time + 0.5) / TIMES):
            pass
        passes.append((sum(counter.passes for counter in counters) - before) / count)
    return passes


class _Counter:
    """Replaces the forward pass of a backbone and counts calls; reuses the maps of one image."""

    def __init__(self, backbone: Backbone, size: int) -> None:
        self.passes = 0.0
        self._forward = backbone.forward
        self._known: dict[tuple[int | None, int, int], tuple[float, list[Tensor]]] = {}
        backbone.eval()  # batch norm cannot train on a batch of one
        self._whole, _ = self._look(None, size, size)
        backbone.forward = self  # type: ignore[method-assign]

    def __call__(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        key = depth, images.shape[-2], images.shape[-1]
        if key not in self._known:
            self._known[key] = self._look(*key)
        arithmetic, maps = self._known[key]
        self.passes += len(images) * arithmetic / self._whole
        return [one.expand(len(images), -1, -1, -1).clone() for one in maps]

    @torch.no_grad()
    def _look(self, depth: int | None, height: int, width: int) -> tuple[float, list[Tensor]]:
        with FlopCounterMode(display=False) as counter:
            maps = self._forward(torch.rand(1, 3, height, width), depth)
        return counter.get_total_flops(), maps


def _batch(count: int, size: int) -> Batch:
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    return Batch(
        pixels, torch.zeros(count, dtype=torch.int64), RandomKeys.from_index(0, torch.arange(count))
    )
