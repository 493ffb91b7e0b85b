"""Labelled images to choose a threshold on, which are no test images."""

from __future__ import annotations

from dataclasses import replace

import torch

from adframe.errors import UserError
from adframe.interfaces import Images, Splits
from adframe.random import seed_of


def with_labelled(splits: Splits, share: float, seed: int) -> tuple[Splits, Images]:
    """Splits with the test images that are left, and the validation images.

    The validation split of the data set comes first. Without one, a share of each class of the test
    images is held out.

    Args:
        splits: the splits of the data set.
        share: share of the test images of each class to hold out, 0..1; at least one image of
            each class that has two.
        seed: the seed of the run.

    Raises:
        UserError: there are no inliers or no anomalies to choose a threshold on.
    """
    found = splits.validation
    if found is None:
        held = held_out_of_classes(splits.test, share, seed)
        chosen = torch.zeros(len(splits.test), dtype=torch.bool)
        chosen[held] = True
        found = splits.test.subset(held)
        splits = replace(splits, test=splits.test.subset((~chosen).nonzero().flatten()))
    odd = int(found.outlier.sum())
    if not odd or odd == len(found):
        lack = "anomalies" if not odd else "normal images"
        raise UserError(
            f"no {lack} to choose a threshold on; the data set needs labelled anomalies in its "
            "validation or test images"
        )
    return splits, found


def held_out_of_classes(images: Images, share: float, seed: int) -> torch.Tensor:
    """Rows of a share of the images of each class, in order."""
    classes = images.of or [str(odd) for odd in images.outlier.tolist()]
    generator = torch.Generator().manual_seed(seed_of(seed, "validation"))
    held: list[int] = []
    for name in sorted(set(classes)):
        rows = torch.tensor([row for row, of in enumerate(classes) if of == name])
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        held += rows[torch.randperm(len(rows), generator=generator)[:count]].tolist()
    return torch.tensor(sorted(held), dtype=torch.int64)
