"""Metrics: figures that compare the scores of anomalies with those of inliers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Scored:
    """Scores of a set of test images.

    Attributes:
        scores: (N,) float32; higher is more anomalous.
        maps: (N, H, W) float32, the score of each pixel, if the scorer gives maps. It may lie in a
            file that is mapped into memory.
        masks: for each image (H, W) bool, true where it is anomalous, or None if that is not known.
            Empty for a set without masks.
        counted: (H, W) bool, the pixels that count: those of a region of interest. None if all do.
    """

    scores: Tensor
    maps: Tensor | None = None
    masks: Sequence[Tensor | None] = field(default=(), repr=False)
    counted: Tensor | None = None

    @cached_property
    def pixels(self) -> tuple[Tensor, Tensor]:
        """Scores of normal pixels, in ascending order, and of anomalous ones; each (P,) float32.

        Images without a known mask are not among them, nor are pixels that do not count. They are
        sorted once for all metrics.
        """
        normal, anomalous = [torch.empty(0)], [torch.empty(0)]
        for index, mask in enumerate(self.masks):
            if mask is not None and self.maps is not None:
                counted = torch.ones_like(mask) if self.counted is None else self.counted
                normal.append(self.maps[index][counted & ~mask])
                anomalous.append(self.maps[index][counted & mask])
        return torch.cat(normal).sort().values, torch.cat(anomalous)


class Metric(ABC):
    """A figure of how well scores separate a set of anomalies from inliers.

    Attributes:
        reads_pixels: whether the metric needs maps and masks. Where they are missing, it has
            no value.
    """

    reads_pixels: bool = False

    @abstractmethod
    def value(self, normal: Scored, anomalous: Scored) -> float:
        """The figure; NaN where it is not defined."""

    def resampled(
        self,
        normal: Scored,
        anomalous: Scored,
        normal_counts: np.ndarray,
        anomalous_counts: np.ndarray,
    ) -> np.ndarray | None:
        """The figure on resamples of the images, shape (B,), from which it gets an interval.

        None, the default, gives it none: a costly metric need not have one.

        Args:
            normal, anomalous: scores without maps and masks.
            normal_counts: (N, B) float64, how often each inlier is in each of B resamples.
            anomalous_counts: the same of the anomalies.
        """
        return None
