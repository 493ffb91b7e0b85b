"""Images to judge a run by while it trains: those of the data set, or training images held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from adframe.data.lazy import LazyImages, Pixels, subset
from adframe.engine.decision import held_out
from adframe.errors import UserError
from adframe.interfaces import Images, Shift, Splits


class ShiftedImages(LazyImages):
    """Images under one variant of a shift, which is applied when they are read.

    Args:
        of: the images, (N, 3, H, W) uint8.
        shift: the shift.
        variant: its variant.
    """

    def __init__(self, of: Pixels, shift: Shift, variant: int) -> None:
        self._of, self._shift, self._variant = of, shift, variant
        self.shape = of.shape

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Shifts these images."""
        return self._shift(self._of.index_select(dim, rows), self._variant)

    def subset(self, rows: Tensor) -> ShiftedImages:
        """Selects some of the images, without reading them."""
        return ShiftedImages(subset(self._of, rows), self._shift, self._variant)


def with_validation(splits: Splits, share: float, seed: int) -> tuple[Splits, Images]:
    """Splits with validation images, and these: if there are none, a share of the training images.

    Raises:
        UserError: there are too few training images.
    """
    if splits.validation is not None:
        return splits, splits.validation
    kept, held = held_out(len(splits.train), share, seed, "validation")
    train, validation = splits.train.subset(kept), splits.train.subset(held)
    return replace(splits, train=train, validation=validation), validation


def validation_sets(
    images: Images, shift: Shift | None, named: Mapping[str, Images] = MappingProxyType({})
) -> dict[str, Images]:
    """``inliers`` and the sets of anomalies of validation images.

    Args:
        images: the validation images.
        shift: makes anomalies of the inliers, one set for each variant, if there are no others.
        named: sets of anomalies that the config names.

    Raises:
        UserError: there are no inliers, or no anomalies and no shift.
    """
    inliers = images.subset((~images.outlier).nonzero().flatten())
    anomalies = images.subset(images.outlier.nonzero().flatten())
    if not len(inliers):
        raise UserError("no inliers among the validation images")
    if len(anomalies):
        return {"inliers": inliers, "anomalies": anomalies, **named}
    if named:
        return {"inliers": inliers, **named}
    if shift is None:
        raise UserError(
            "no anomalies among the validation images; set anomalies to a shift, or name outliers"
        )
    made = {
        f"variant_{variant}": _shifted(inliers, shift, variant)
        for variant in range(1, shift.variants + 1)
    }
    return {"inliers": inliers, **made}


def _shifted(inliers: Images, shift: Shift, variant: int) -> Images:
    return Images(
        ShiftedImages(inliers.pixels, shift, variant),
        torch.full_like(inliers.label, -1),
        torch.ones_like(inliers.outlier),
        inliers.names,
    )
