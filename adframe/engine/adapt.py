"""Adapts a finished run to other images: its scorers and calibration, never its network."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from adframe.config.model import RunConfig
from adframe.data.arrays import ImagesLike, listed, paths_of
from adframe.data.prepare import prepared
from adframe.data.reading import ReadAs
from adframe.engine.global_state import kept
from adframe.engine.scoring import fit, grow
from adframe.errors import UserError
from adframe.interfaces import Images, Method, Scorer, Shift

Self = TypeVar("Self", bound="Adapting")

logger = logging.getLogger("adframe")


class Adapting:
    """The part of ``Detector`` that learns from other images."""

    config: RunConfig
    shifts: Sequence[Shift]
    scorers: list[Scorer]
    names: list[str]
    _facts: Mapping[str, Any]
    _calibration: Sequence[torch.Tensor | None]

    @property
    @abstractmethod
    def reading(self) -> ReadAs:
        """How files are read."""

    @property
    @abstractmethod
    def _form(self) -> Method:
        """The method as it scores."""

    @abstractmethod
    def score(self, images: ImagesLike) -> np.ndarray:
        """Anomaly scores."""

    def fit(self: Self, images: ImagesLike, exposed: ImagesLike | None = None) -> Self:
        """Fit the scorers again, on other inliers; the network stays as it is.

        There are no p-values after it: the calibration images belong to the earlier inliers.

        Args:
            images: the inliers, as for ``score``.
            exposed: known outliers; needed if a scorer of the run compares with them.

        Raises:
            UserError: as for ``score``; or a scorer needs known outliers, or labels.
        """
        for spec, scorer in zip(self.config.scorer, self.scorers, strict=True):
            if scorer.needs_exposed and exposed is None:
                raise UserError(f"{spec.entry.name} needs known outliers; pass them as exposed=")
            if scorer.needs_classes:
                raise UserError(f"{spec.entry.name} needs labelled inliers; train a run on them")
        train = unlabelled(images, self.reading)
        outliers = None if exposed is None else unlabelled(exposed, self.reading)
        self._calibration = ()
        self._facts, self.names = {**self._facts, "thresholds": None}, list(train.names)
        with kept():
            fit(self.scorers, self._form, self.shifts, train, self.config.seed, outliers)
        return self

    def update(self: Self, images: ImagesLike, limit: int | None = None) -> Self:
        """Add inliers to what the scorer compares with; nothing is trained or fitted again.

        There are no p-values after it, since the calibration images were scored without the new
        inliers; ``calibrate`` gives new ones.

        Args:
            images: the new inliers, as for ``score``.
            limit: largest number of inliers, old and new, that are kept. They are chosen one by
                one, each the farthest from all that were chosen before (a coreset).

        Raises:
            UserError: the scorer cannot grow, ``limit`` is below 1, or as for ``score``.
        """
        scorer, name = self.scorers[0], self.config.scorer[0].entry.name
        if type(scorer).grow is Scorer.grow:
            raise UserError(f"{name} cannot take more inliers; fit it again, on all of them")
        if limit is not None and limit < 1:
            raise UserError(f"limit: must be at least 1, not {limit}")
        new = unlabelled(images, self.reading)
        with kept():
            rows = grow(scorer, self._form, self.shifts, new, self.config.seed, limit)
        if self.names:
            self.names = [[*self.names, *new.names][row] for row in rows]
        self._facts = {**self._facts, "thresholds": None}
        if self._calibration:
            self._calibration = ()
            logger.warning("the calibration is that of earlier inliers; calibrate for p-values")
        return self

    def calibrate(self: Self, images: ImagesLike) -> Self:
        """Calibrate p-values with other inliers, to which the scorer was not fitted.

        Args:
            images: the inliers, as for ``score``.

        Raises:
            UserError: as for ``score``; or there are no images.
        """
        scores = np.sort(self.score(images))
        if not len(scores):
            raise UserError("no images")
        self._calibration = (torch.from_numpy(scores),)
        return self


def unlabelled(images: ImagesLike, reading: ReadAs) -> Images:
    """Images without labels, named by their paths, or by their numbers.

    Args:
        images: as for ``Detector.score``.
        reading: how they are brought to size.

    Raises:
        UserError: one of them is unreadable, or there are none.
    """
    items = listed(images)
    pixels = prepared(items, reading)
    if not len(pixels):
        raise UserError("no images")
    nothing = torch.full((len(pixels),), -1)
    names = [str(path) for path in paths_of(items) or range(len(pixels))]
    return Images(pixels, nothing, nothing > 0, names)
