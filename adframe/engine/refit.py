"""Fits the scorers of a trained network again, on other inliers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adframe.config.model import RunConfig
from adframe.data.arrays import ImagesLike, listed, paths_of
from adframe.data.prepare import prepared
from adframe.data.reading import ReadAs
from adframe.engine.scoring import fit
from adframe.errors import UserError
from adframe.interfaces import Images, Method, Scorer, Shift


def refit(
    config: RunConfig,
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    reading: ReadAs,
    images: ImagesLike,
    exposed: ImagesLike | None,
) -> list[str]:
    """Fit the scorers of a config on images without labels.

    Returns:
        the name of each image: its path, or its number.

    Raises:
        UserError: an image is unreadable; or a scorer needs known outliers, or labels.
    """
    for spec, scorer in zip(config.scorer, scorers, strict=True):
        if scorer.needs_exposed and exposed is None:
            raise UserError(f"{spec.entry.name} needs known outliers; pass them as exposed=")
        if scorer.needs_classes:
            raise UserError(f"{spec.entry.name} needs labelled inliers; train a run on them")
    train = _unlabelled(images, reading)
    outliers = None if exposed is None else _unlabelled(exposed, reading)
    fit(scorers, method, shifts, train, config.seed, outliers)
    return list(train.names)


def _unlabelled(images: ImagesLike, reading: ReadAs) -> Images:
    images = listed(images)
    pixels = prepared(images, reading)
    if not len(pixels):
        raise UserError("no images")
    nothing = torch.full((len(pixels),), -1)
    names = list(map(str, paths_of(images))) or list(map(str, range(len(pixels))))
    return Images(pixels, nothing, nothing > 0, names)
