"""Refuses an augmentation after the shift that makes two shifts look the same to a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from adframe.config.model import RunConfig
from adframe.config.specs import ComponentSpec
from adframe.errors import KeyPath, Problem
from adframe.interfaces import Augmentation, Loss, Method, Scorer, Shift, every_variant

SIDE = 32  # pixels of the image that shifts are tried on


def confused_shifts(
    config: RunConfig,
    shifts: Sequence[Shift],
    losses: Sequence[Loss],
    method: Method,
    scorers: Sequence[Scorer],
    built: Mapping[KeyPath, tuple[ComponentSpec, object]],
) -> list[Problem]:
    """Problems of a config that classifies shifts which its augmentation turns into each other.

    Args:
        config: the config.
        shifts, losses, method, scorers: what was built from it.
        built: every component that was built, by path.
    """
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
    outputs = {name for loss in classifiers.values() for name in loss.outputs}
    views = [scorer.view_spec() for scorer in scorers]
    seen = [v.transform for v in views if v.apply_shifts and outputs & {*v.outputs}]
    problems = []
    for path, (spec, augmentation) in built.items():
        in_training = path[0] == "schedule" and not method.shifts_augmented
        in_scoring = any(augmentation is transform for transform in seen)
        if not isinstance(augmentation, Augmentation) or not (in_training or in_scoring):
            continue
        for option, symmetry in augmentation.symmetries().items():
            pair = _confused(shifts, symmetry)
            if pair is not None:
                first, second = (names[number] for number in pair)
                message = (
                    f"{spec.entry.name} turns {first} into {second}, and {next(iter(classifiers))} "
                    f"must distinguish them; set {option}: 0, and do it before the shift "
                    "(pre_shift)"
                )
                problems.append(Problem((*path, option), message))
    return problems


def _confused(
    shifts: Sequence[Shift], symmetry: Callable[[Tensor], Tensor]
) -> tuple[int, int] | None:
    """Numbers of two shifts, the first of which a transform turns into the second, if any.

    It does if it maps an image under the first to the same image, or to the transformed image,
    under the second. Tried on one image of noise; shifts that refuse that image are not judged, and
    variants that leave it alike count as one.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(256, (1, 3, SIDE, SIDE), generator=generator).byte()
    try:
        shifted = every_variant(image, shifts)
        others = every_variant(symmetry(image), shifts)
    except ValueError:
        return None
    first: dict[bytes, int] = {}
    for number, result in enumerate(shifted):
        first.setdefault(_content(result), number)
    targets = dict(first)
    for number, result in enumerate(others):
        targets.setdefault(_content(result), first[_content(shifted[number])])
    for result in shifted:
        source = first[_content(result)]
        target = targets.get(_content(symmetry(result)), source)
        if target != source:
            return source, target
    return None


def _content(image: Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()
