"""Metrics of the scores of pixels. They are exact: no histogram, no chosen thresholds.

scikit-learn needs several copies of all pixels of a test set in double precision. Here the normal
pixels of each set are sorted once for all metrics, and anomalous pixels are looked up among them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval

from adframe.interfaces import Metric, Scored


class PixelMetric(Metric):
    """A metric of the pixels of all test images, those of inliers included."""

    reads_pixels = True


class PixelAUROC(PixelMetric):
    """Area under the ROC curve of pixels, 0..1."""

    def value(self, normal: Scored, anomalous: Scored) -> float:
        good, bad = _Normal(normal, anomalous), _anomalous(normal, anomalous)
        if not good.count or not len(bad):
            return float("nan")
        below = good.below(bad, "left") + good.below(bad, "right")
        return float(below.sum(dtype=np.float64) / 2 / good.count / len(bad))


class PixelAveragePrecision(PixelMetric):
    """Average precision of anomalous pixels, 0..1. Chance is their share."""

    def value(self, normal: Scored, anomalous: Scored) -> float:
        false, true = _counts(normal, anomalous)
        if not len(true):
            return float("nan")
        gained = np.diff(true, prepend=0) / true[-1]
        return float((gained * true / (true + false)).sum())


class PixelBestF1(PixelMetric):
    """F1 score of pixels at the threshold for which it is best, 0..1."""

    def value(self, normal: Scored, anomalous: Scored) -> float:
        false, true = _counts(normal, anomalous)
        return float((2 * true / (true + false + true[-1])).max()) if len(true) else float("nan")


class AUPRO(PixelMetric):
    """Area under the per-region overlap, 0..1 (Bergmann et al., IJCV 2021).

    The overlap of a threshold is the share of each anomalous region above it, averaged over
    regions. So a small defect counts as much as a large one. It is integrated over the share of
    normal pixels above the threshold, from 0 to ``limit``, and divided by ``limit``. A region is a
    set of anomalous pixels that touch, also at corners.

    Args:
        limit: [published: 0.3] Largest share of normal pixels above the threshold.
    """

    def __init__(self, limit: Annotated[float, Interval(gt=0, le=1)] = 0.3) -> None:
        self.limit = limit

    def value(self, normal: Scored, anomalous: Scored) -> float:
        good = _Normal(normal, anomalous)
        scores, weights = _regions(anomalous)
        if not good.count or not len(scores):
            return float("nan")
        order = np.argsort(-scores, kind="stable")
        scores, weights = scores[order], weights[order]
        last = np.flatnonzero(np.diff(scores, append=-np.inf))  # the last of equal scores
        overlap = np.cumsum(weights)[last] / weights.sum()
        # Up to an anomalous score the curve is level over the normal pixels above that score, then
        # straight to the point where the score itself is above the threshold.
        above = good.count - good.below(scores[last], "right")
        at = good.count - good.below(scores[last], "left")
        x = np.concatenate([[0.0], np.stack([above, at], 1).ravel() / good.count, [1.0]])
        y = np.concatenate([[0.0, 0.0], np.repeat(overlap, 2)])
        end = int(np.argmax(x >= self.limit))  # the curve is cut off before this point
        share = (self.limit - x[end - 1]) / (x[end] - x[end - 1])
        x = np.append(x[:end], self.limit)
        y = np.append(y[:end], y[end - 1] + share * (y[end] - y[end - 1]))
        return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2 / self.limit)


class _Normal:
    """The normal pixels of inliers and of images with defects, sorted in two parts."""

    def __init__(self, normal: Scored, anomalous: Scored) -> None:
        self.parts = [scored.pixels[0].numpy() for scored in (normal, anomalous)]
        self.count = sum(map(len, self.parts))

    def below(self, values: np.ndarray, side: Literal["left", "right"]) -> np.ndarray:
        """Number of normal pixels below each value, or with ``right`` at or below it."""
        first, second = (np.searchsorted(part, values, side) for part in self.parts)
        return first + second


def _anomalous(normal: Scored, anomalous: Scored) -> np.ndarray:
    return np.concatenate([scored.pixels[1].numpy() for scored in (normal, anomalous)])


def _counts(normal: Scored, anomalous: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Normal and anomalous pixels at or above each anomalous score, from the highest one on."""
    good = _Normal(normal, anomalous)
    values, counts = np.unique(_anomalous(normal, anomalous), return_counts=True)
    return good.count - good.below(values[::-1], "left"), np.cumsum(counts[::-1])


def _regions(anomalous: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Score of each anomalous pixel, and one divided by the number of pixels of its region."""
    from scipy.ndimage import label

    scores, weights = [np.empty(0, np.float32)], [np.empty(0)]
    for index, known in enumerate(anomalous.masks):
        if known is None:
            continue
        assert anomalous.maps is not None, "a metric that reads pixels gets maps"
        seen = known if anomalous.counted is None else known & anomalous.counted
        values, mask = anomalous.maps[index].numpy(), seen.numpy()
        region, count = label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(region.ravel(), minlength=count + 1)
        scores.append(values[mask])
        weights.append(1 / sizes[region[mask]])
    return np.concatenate(scores), np.concatenate(weights)
