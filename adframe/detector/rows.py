"""The rows that a detector gives of images: scores, and what is decided."""

from __future__ import annotations

from typing import Any

import numpy as np

from adframe.detector.detector import Detector
from adframe.engine.decision import COLUMNS, columns, p_values


def header(detector: Detector) -> list[str]:
    """The columns of the rows."""
    return ["path", "score", *(COLUMNS if detector.config.decision is not None else [])]


def row(detector: Detector, score: float) -> list[Any]:
    """The cells after the path: the score, and if the run has a decision, what is decided."""
    if detector.config.decision is None:
        return [score]
    scores = np.array([score], dtype=np.float32)
    found = columns(scores, p_values(scores, detector.calibration), detector.threshold)
    return [score, *(cell for (cell,) in found)]
