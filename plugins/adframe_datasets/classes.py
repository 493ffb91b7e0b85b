"""What every labelled data set shares: which classes are normal, and how that splits it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Images


def normal_classes(
    normal: str | Sequence[str] | None, classes: Sequence[str], where: str
) -> list[str]:
    """The normal classes by name; all of them for None.

    Raises:
        UserError: a name is not among ``classes``; ``where`` names the data set.
    """
    if normal is None:
        return list(classes)
    wanted = [normal] if isinstance(normal, str) else list(normal)
    for name in wanted:
        if name not in classes:
            shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise UserError(f"normal: no class '{name}' in {where}; there is: {shown}")
    if not wanted:
        raise UserError("normal: name at least one class, or leave it out for all")
    return wanted


def as_images(
    pixels: Tensor, of: Sequence[str], names: Sequence[str], normal: Sequence[str], labelled: bool
) -> Images:
    """Images with their truth, from the class name of each.

    Args:
        pixels: (N, 3, H, W) uint8.
        of: class of each image; one that is not normal makes it an outlier.
        names: what to call each image.
        normal: the normal classes.
        labelled: whether inliers keep their class as a label; -1 otherwise.
    """
    index = {name: position for position, name in enumerate(normal)}
    label = torch.tensor([index.get(name, -1) if labelled else -1 for name in of])
    outlier = torch.tensor([name not in index for name in of])
    return Images(pixels, label.long(), outlier.bool(), list(names))


def seeded_order(count: int, seed: int) -> list[int]:
    """A permutation of range(count) that ``seed`` alone decides."""
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
