"""Metrics of the scores of images, by scikit-learn."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval

from adframe.interfaces import Metric, Scored


class ImageMetric(Metric):
    """A metric of the numbers of false and true positives at each threshold."""

    @abstractmethod
    def of_counts(self, false: np.ndarray, true: np.ndarray) -> np.ndarray:
        """The figure of each of B resamples, shape (B,).

        Args:
            false: (thresholds, B) inliers called anomalous, from the highest threshold on.
            true: (thresholds, B) anomalies found, likewise. The last row is all of them.
        """

    def resampled(
        self,
        normal: Scored,
        anomalous: Scored,
        normal_counts: np.ndarray,
        anomalous_counts: np.ndarray,
    ) -> np.ndarray:
        scores = torch.cat([normal.scores, anomalous.scores]).numpy()
        order = np.argsort(-scores, kind="stable")
        last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of equal scores
        counts = np.concatenate([normal_counts, anomalous_counts])[order]
        bad = (order >= len(normal.scores))[:, None]
        false = np.cumsum(counts * ~bad, axis=0)[last]
        true = np.cumsum(counts * bad, axis=0)[last]
        return self.of_counts(false, true)


class AveragePrecision(ImageMetric):
    """Average precision of anomalies: the area under precision over recall, 0..1.

    It depends on the share of anomalies among the test images: chance is that share.
    """

    def value(self, normal: Scored, anomalous: Scored) -> float:
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(*_truth_and_scores(normal, anomalous)))

    def of_counts(self, false: np.ndarray, true: np.ndarray) -> np.ndarray:
        precision = true / np.maximum(true + false, 1)
        steps: np.ndarray = np.diff(true, axis=0, prepend=0)
        areas: np.ndarray = (steps * precision).sum(0) / true[-1]
        return areas


class BestF1(ImageMetric):
    """F1 score at the threshold for which it is best on these test images, 0..1.

    A threshold that is chosen without looking at test images gives less.
    """

    def value(self, normal: Scored, anomalous: Scored) -> float:
        from sklearn.metrics import precision_recall_curve

        precision, recall, _ = precision_recall_curve(*_truth_and_scores(normal, anomalous))
        return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())

    def of_counts(self, false: np.ndarray, true: np.ndarray) -> np.ndarray:
        best: np.ndarray = (2 * true / (true[-1] + true + false)).max(0)
        return best


class FPR(ImageMetric):
    """Share of inliers called anomalous where a share of the anomalies is found, 0..1.

    Args:
        recall: [published: 0.95 in OOD detection] Share of the anomalies that must be found.
    """

    def __init__(self, recall: Annotated[float, Interval(gt=0, le=1)] = 0.95) -> None:
        self.recall = recall

    def value(self, normal: Scored, anomalous: Scored) -> float:
        from sklearn.metrics import roc_curve

        truth, scores = _truth_and_scores(normal, anomalous)
        false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
        return float(false[np.argmax(true >= self.recall)])

    def of_counts(self, false: np.ndarray, true: np.ndarray) -> np.ndarray:
        first = np.argmax(true / true[-1] >= self.recall, axis=0)
        rates: np.ndarray = np.take_along_axis(false, first[None], axis=0)[0] / false[-1]
        return rates


def _truth_and_scores(normal: Scored, anomalous: Scored) -> tuple[np.ndarray, np.ndarray]:
    """1 for each anomaly, 0 for each inlier; and the scores."""
    truth = np.repeat([0, 1], [len(normal.scores), len(anomalous.scores)])
    return truth, torch.cat([normal.scores, anomalous.scores]).numpy()
