"""From scores to decisions: p-values, and which images are anomalous."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from adframe.config.model import RunConfig
from adframe.data.arrays import ImagesLike
from adframe.engine import model_file
from adframe.engine.decision import calibration_of, p_values, threshold
from adframe.errors import UserError


class Deciding:
    """The part of ``Detector`` that decides by its calibration."""

    config: RunConfig
    _facts: Mapping[str, Any]
    _calibration: model_file.Calibration

    @abstractmethod
    def score(self, images: ImagesLike) -> np.ndarray:
        """Anomaly scores."""

    @property
    def calibration(self) -> np.ndarray:
        """Sorted scores of the calibration images, float32.

        Raises:
            UserError: the run has no ``decision``, or the scorer was fitted again.
        """
        return calibration_of(self.config, self._calibration)

    def p_values(self, images: ImagesLike) -> np.ndarray:
        """Conformal p-values, shape (N,), float64, in (0, 1]: small for anomalous images.

        Args:
            images: as for ``score``.

        Raises:
            UserError: as for ``calibration`` and ``score``.
        """
        known = self.calibration  # first: it may be missing
        return p_values(self.score(images), known)

    @property
    def threshold(self) -> float:
        """The smallest score that is called anomalous; infinite if there is none.

        Raises:
            UserError: as for ``calibration``.
        """
        known, decision = self.calibration, self.config.decision
        assert decision is not None, "a calibration belongs to a decision"
        if decision.rule == "false_alarms":
            return threshold(known, decision.false_alarms)
        found = self._facts.get("thresholds") or [None]
        if found[0] is None:
            raise UserError("there is no threshold for these inliers; evaluate or train a run")
        return float(found[0])

    def decide(self, images: ImagesLike) -> np.ndarray:
        """Whether each image is anomalous, shape (N,), bool, by the ``decision`` of the run.

        Arguments and errors are those of ``p_values``.
        """
        bound = self.threshold  # before any image is read
        return self.score(images) >= bound
