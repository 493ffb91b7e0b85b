"""What a cell costs, in view passes, before it is run.

A view pass is one view of one image through the whole backbone, forward and backward. A view that
goes only as deep as stage i counts as the share of the arithmetic (multiply-adds, counted) that
stages 1..i have in the whole. Which views go how deep is not assumed: one step of the method is
taken on a few made-up images, and its calls of the backbone are counted. Heads, losses,
augmentation and evaluation are not.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from adframe.assemble import assemble
from adframe.config import RunConfig
from adframe.interfaces import Backbone, Batch, Draws

IMAGES, WITH_EXPOSED = 2, 8  # in the step that is counted; more where a ratio is to be met


class Costs:
    """Counts view passes; configs that differ only in data and seed are counted once."""

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
    """Images a run trains on, epochs counted: whole batches only."""
    batch = min(config.train.batch_size, images)
    return config.train.epochs * (images // batch) * batch


def per_image(config: RunConfig, size: int) -> float | None:
    """View passes for each image of an epoch, from one step of the method."""
    method = assemble(config).method
    calls: list[tuple[Backbone, int, int | None]] = []

    def note(backbone: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        images = args[0] if args else options["images"]
        depth = args[1] if len(args) > 1 else options.get("depth")
        calls.append((backbone, len(images), depth))

    backbones = [module for module in method.modules() if isinstance(module, Backbone)]
    hooks = [b.register_forward_pre_hook(note, with_kwargs=True) for b in backbones]
    count = WITH_EXPOSED if config.exposure else IMAGES
    batch = _batch(count, size)
    if config.exposure:
        batch.exposed = _batch(round(count * config.exposure.ratio), size)
    for _ in method.step(batch, 0.0):
        pass
    for hook in hooks:
        hook.remove()
    if not calls:
        return None
    whole = {id(b): _arithmetic(b, None, size) for b in backbones}
    share = {
        (id(b), depth): _arithmetic(b, depth, size) / whole[id(b)]
        for b, depth in {(b, depth) for b, _, depth in calls}
    }
    return sum(views * share[id(b), depth] for b, views, depth in calls) / count


def _batch(count: int, size: int) -> Batch:
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    return Batch(pixels, torch.zeros(count, dtype=torch.int64), Draws.of(0, torch.arange(count)))


@torch.no_grad()
def _arithmetic(backbone: Backbone, depth: int | None, size: int) -> int:
    was_training = backbone.training
    backbone.eval()
    with FlopCounterMode(display=False) as counter:
        backbone(torch.zeros(1, 3, size, size), depth)
    backbone.train(was_training)
    return int(counter.get_total_flops())
