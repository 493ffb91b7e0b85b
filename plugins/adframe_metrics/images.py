"""Metrics of the scores of images, by scikit-learn."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval

from adframe.interfaces import Metric, Scored


class AveragePrecision(Metric):
    """Average precision of anomalies: the area under precision over recall, 0..1.

    It depends on the share of anomalies among the test images: chance is that share.
    """

    def value(self, normal: Scored, anomalous: Scored) -> float:
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(*_truth_and_scores(normal, anomalous)))


class BestF1(Metric):
    """F1 score at the threshold for which it is best on these test images, 0..1.

    A threshold that is chosen without looking at test images gives less.
    """

    def value(self, normal: Scored, anomalous: Scored) -> float:
        from sklearn.metrics import precision_recall_curve

        precision, recall, _ = precision_recall_curve(*_truth_and_scores(normal, anomalous))
        return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


class FPR(Metric):
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


def _truth_and_scores(normal: Scored, anomalous: Scored) -> tuple[np.ndarray, np.ndarray]:
    """1 for each anomaly, 0 for each inlier; and the scores."""
    truth = np.repeat([0, 1], [len(normal.scores), len(anomalous.scores)])
    return truth, torch.cat([normal.scores, anomalous.scores]).numpy()
