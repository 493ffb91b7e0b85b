"""Finds test images that a run has trained on; their scores have no meaning."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from adframe.data.lazy import ImageSubset, image_digests
from adframe.errors import UserError
from adframe.interfaces import Images

logger = logging.getLogger("adframe")


def warn_of_leaks(trained: Mapping[str, np.ndarray], test_sets: Mapping[str, Images]) -> None:
    """Log one warning for each test set with images that are also trained on, pixel for pixel.

    Memory does not grow with the size of the images: their digests are compared, 16 bytes each.
    Test images that a plugin reads on demand are compared only if their digests are known, since
    each of them would be read once more.

    Args:
        trained: digests of the images that are trained on, by what those are.
        test_sets: the test images by name.
    """
    for name, images in test_sets.items():
        found = _digests(images)
        for what, digests in trained.items():
            rows = np.isin(found, digests).nonzero()[0]
            if len(rows):
                logger.warning(
                    "%d of %d test images of %s are also %s, such as %s",
                    len(rows), len(found), name, what, images.names[rows[0]],
                )  # fmt: skip


def refuse_test_images(images: Images, test_sets: Mapping[str, Images]) -> None:
    """Raise an error if images to judge a run by are test images, pixel for pixel.

    Raises:
        UserError: some are; test images must not choose a config.
    """
    found = image_digests(images.pixels)
    for name, tested in test_sets.items():
        rows = np.isin(found, _digests(tested)).nonzero()[0]
        if len(rows):
            raise UserError(
                f"{len(rows)} of {len(found)} images are test images of {name}, such as "
                f"{images.names[rows[0]]}; the test split must not judge a run"
            )


def _digests(images: Images) -> np.ndarray:
    """Digests of images; none where each of them would have to be read once more."""
    pixels = images.pixels
    if not isinstance(pixels, Tensor | ImageSubset) and pixels.digests is None:
        return np.empty(0)
    return image_digests(pixels)
