"""Calls the components of a run once before training, and checks what they return.

What a loss, a method or a scorer returns is checked where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from adframe.engine import returned, returned_images
from adframe.engine.build import Assembly
from adframe.engine.returned import expect, requested
from adframe.errors import UserError
from adframe.interfaces import (
    Augmentation,
    Backbone,
    Dataset,
    Loss,
    Method,
    Optimizer,
    RandomKeys,
    Schedule,
    Scorer,
    Shift,
)
from adframe.ops.image import to_float
from adframe.registry.registry import name_of

SAMPLE = 2  # images that components are called with
TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the run, at which the schedule is asked
_KINDS = (Augmentation, Backbone, Dataset, Loss, Method, Optimizer, Schedule, Scorer, Shift)


def check_sizes(assembly: Assembly) -> None:
    """Call the components on noise of the size that the data set gives, if it gives one.

    Raises:
        PluginFault: a component returned something else than its kind promises.
        UserError: a shift cannot be applied to images of this size.
    """
    size = assembly.dataset.size
    if size is None:
        return
    height, width = (size, size) if isinstance(size, int) else size
    noise = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (SAMPLE, 3, height, width), generator=noise, dtype=torch.uint8)
    check_first_use(assembly, pixels)


@torch.no_grad()
def check_first_use(assembly: Assembly, pixels: Tensor) -> None:
    """Call shifts, augmentations, schedule and backbone on a few images.

    Weights, statistics and random state are as before.

    Args:
        assembly: the components.
        pixels: (N, 3, H, W) uint8.

    Raises:
        PluginFault: a component returned something else than its kind promises.
        UserError: a shift cannot be applied to images of this size.
    """
    with torch.random.fork_rng(devices=[]):
        parts = assembly.parts
        shifted = pixels if _shifts_whole(assembly) else _square(pixels)
        for component in _nested([assembly.shifts, parts.schedule, assembly.method]):
            if isinstance(component, Shift):
                _shift(component, shifted)
            elif isinstance(component, Augmentation):
                expect(component, _augmented(component, component, pixels))
        _schedule(parts.schedule, len(parts.backbone.widths), pixels)
        _backbone(parts.backbone, pixels)


def _shifts_whole(assembly: Assembly) -> bool:
    """Whether a shift gets whole images, in training or by a scorer, and not only windows."""
    method = assembly.method
    cut = [each for each in _nested(method) if isinstance(each, Augmentation) and each.resizes]
    if method.side is None and not cut:
        return True
    specs = [requested(scorer) for scorer in assembly.scorers]
    return any(
        spec.apply_shifts and spec.windows is None and not getattr(spec.pre_shift, "resizes", False)
        for spec in specs
    )


def _square(pixels: Tensor) -> Tensor:
    """The upper left square of images."""
    side = min(pixels.shape[-2:])
    return pixels[..., :side, :side]


def _nested(value: Any, depth: int = 0) -> Iterator[Any]:
    """The components in a value, the innermost first."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _nested(item, depth)
    elif isinstance(value, Mapping):
        yield from _nested(list(value.values()), depth)
    elif isinstance(value, _KINDS) and depth < 10:
        yield from _nested(getattr(value, "__dict__", {}), depth + 1)
        yield value


def _shift(shift: Shift, pixels: Tensor) -> None:
    count = getattr(shift, "variants", None)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        expect(shift, f"variants is {returned.shown(count)}, not a number of 1 or more")
    for images in (pixels, to_float(pixels)):
        for variant in range(min(shift.variants, 16) + 1):
            try:
                shifted = shift(images, variant)
            except ValueError as error:
                raise UserError(f"{name_of(shift)}: {error}") from error
            expect(shift, returned_images.of_shift(shifted, images, f"variant {variant}"))


def _augmented(component: object, augment: Any, pixels: Tensor) -> str:
    keys = RandomKeys.from_index(0, torch.arange(len(pixels)))
    return returned_images.of_augmentation(augment(pixels, keys), pixels, "the augmentation")


def _schedule(schedule: Schedule, levels: int, pixels: Tensor) -> None:
    for progress in TIMES:
        stages = schedule.stages(levels, progress)
        expect(schedule, returned.plan(stages, levels))
        for stage in stages:
            expect(schedule, _augmented(schedule, stage.augmentation, pixels))


def _backbone(backbone: Backbone, pixels: Tensor) -> None:
    tensors = [*backbone.parameters(), *backbone.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    modes = {module: module.training for module in backbone.modules()}
    images = to_float(pixels).to(device).contiguous(memory_format=torch.channels_last)
    backbone.eval()
    try:
        made = backbone(images)
    finally:
        for module, training in modes.items():
            module.training = training
    expect(backbone, returned_images.of_backbone(made, backbone.widths, len(images)))
