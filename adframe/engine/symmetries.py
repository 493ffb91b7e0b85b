"""Refuses an augmentation after the shift that makes two shifts look the same to a classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from adframe.config.model import RunConfig
from adframe.config.schema import ComponentSpec
from adframe.errors import KeyPath, Problem
from adframe.interfaces import Augmentation, Loss, Method, Scorer, Shift, every_variant

SIDE = 16  # pixels of the image that shifts are tried on


def confused_shifts(
    config: RunConfig,
    shifts: Sequence[Shift],
    losses: Sequence[Loss],
    method: Method,
    scorers: Sequence[Scorer],
) -> list[Problem]:
    """Problems of a config that classifies shifts which its augmentation turns into each other."""
    classifiers = {
        term.loss.entry.name: loss
        for term, loss in zip(config.objective, losses, strict=True)
        if loss.separates_shifts
    }
    if not classifiers or not shifts:
        return []
    names = ["no shift"]
    for spec, shift in zip(config.shifts, shifts, strict=True):
        variants = range(1, 1 + shift.variants)
        names += [f"{spec.entry.name} (variant {variant})" for variant in variants]

    def problems(path: KeyPath, name: str, augmentation: Augmentation) -> Iterator[Problem]:
        for option, symmetry in augmentation.symmetries().items():
            pair = _confused(shifts, symmetry)
            if pair is not None:
                first, second = (names[number] for number in pair)
                yield Problem(
                    (*path, option),
                    f"{name} turns {first} into {second}, and {next(iter(classifiers))} must "
                    f"distinguish them; set {option}: 0, and do it before the shift (pre_shift)",
                )

    after: list[tuple[KeyPath, ComponentSpec]] = []
    if not method.shifts_augmented:
        after += config.schedule.nested(("schedule",))
    outputs = {name for loss in classifiers.values() for name in loss.outputs}
    for index, (spec, scorer) in enumerate(zip(config.scorer, scorers, strict=True)):
        view = scorer.view_spec()
        if view.apply_shifts and outputs & {*view.outputs}:
            nested = spec.nested(("scorer", index))
            after += [part for part in nested if part[1].entry.load() is type(view.transform)]
    return [
        problem
        for path, spec in after
        if spec.entry.kind == "augmentation"
        for problem in problems(path, spec.entry.name, spec.build(path))
    ]


def _confused(
    shifts: Sequence[Shift], symmetry: Callable[[Tensor], Tensor]
) -> tuple[int, int] | None:
    """Numbers of two shifts, the first of which a transform turns into the second, if any.

    It does if it maps an image under the first to the same image, or to the transformed image,
    under the second. Tried on one image of noise.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(256, (1, 3, SIDE, SIDE), generator=generator).byte()
    shifted = every_variant(image, shifts)
    targets: dict[bytes, int] = {}
    for start in (image, symmetry(image)):
        for number, result in enumerate(every_variant(start, shifts)):
            targets.setdefault(_content(result), number)
    for number, result in enumerate(shifted):
        target = targets.get(_content(symmetry(result)), number)
        if target != number:
            return number, target
    return None


def _content(image: Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()
