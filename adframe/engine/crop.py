"""Reports a crop that discards much of the images of a run."""

from __future__ import annotations

import logging
import os

from adframe.data.decode import ImageError, original_size
from adframe.data.masks import MaskFiles
from adframe.data.reading import Fit, ReadAs
from adframe.data.region import Region
from adframe.interfaces import Splits

MOST = 0.1  # share of the pixels of an image that a crop may discard without a word
SAMPLE = 500  # image files whose size is looked at

logger = logging.getLogger("adframe")


def warn_of_crop(splits: Splits, fit: Fit, region: Region | None = None) -> None:
    """Log one line if a crop discards more than a tenth of the pixels of some images.

    At most 500 files are looked at, at equal distances, so that this takes no time. What lies
    outside of a region is not meant to be seen; a line counts the defects that are only there.
    """
    masks, outside = splits.test.masks, ""
    if isinstance(masks, MaskFiles) and masks.files:
        outside = f"{masks.outside} of {masks.files} defects lie wholly outside by their masks"
        if region is not None and masks.outside:
            logger.warning("region: %s", outside)
    if fit != "crop":
        return
    reading = ReadAs(tuple(splits.train.pixels.shape[2:]), region=region)
    names = [*splits.train.names, *splits.test.names]
    step = -(-len(names) // SAMPLE)
    lost = [1 - share for name in names[::step] if (share := _share_seen(name, reading))]
    much = [share for share in lost if share > MOST]
    if not much:
        return
    logger.warning(
        "the crop discards more than a tenth of %d of %d images, %.0f %% of their pixels%s; "
        "fit: squash or fit: pad shows all",
        len(much), len(lost), 100 * sum(much) / len(much), f"; {outside}" if outside else "",
    )  # fmt: skip


def _share_seen(name: str, reading: ReadAs) -> float:
    """Share of the pixels of an image file that is seen; 0 if it is no file."""
    try:
        return reading.share_seen(*original_size(name)) if os.path.isfile(name) else 0
    except (ImageError, ValueError):
        return 0
