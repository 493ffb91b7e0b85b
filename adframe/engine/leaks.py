"""Finds test images that a run has trained on; their scores have no meaning."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

from torch import Tensor

from adframe.interfaces import Images

logger = logging.getLogger("adframe")


def warn_of_leaks(train: Images, exposed: Images | None, test_sets: Mapping[str, Images]) -> None:
    """Log one warning for each test set with images that are also trained on, pixel for pixel.

    Sets that are decoded on demand are not compared, since each image would be read once more.
    """
    known = {"training images": set(_digests(train))}
    if exposed is not None:
        known["known outliers of exposure"] = set(_digests(exposed))
    for name, images in test_sets.items():
        found = _digests(images)
        for what, digests in known.items():
            rows = [row for row, digest in enumerate(found) if digest in digests]
            if rows:
                logger.warning(
                    "%d of %d test images of %s are also %s, such as %s",
                    len(rows), len(found), name, what, images.names[rows[0]],
                )  # fmt: skip


def _digests(images: Images) -> list[bytes]:
    """Digest of the pixels of each image, in order; none if they are not in memory."""
    if not isinstance(images.pixels, Tensor):
        return []
    return [
        hashlib.blake2b(one.contiguous().numpy().data, digest_size=16).digest()
        for one in images.pixels
    ]
