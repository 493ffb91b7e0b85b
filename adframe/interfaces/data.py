"""Data sets: images with their truth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from adframe.data.lazy import Pixels


@dataclass
class Images:
    """Images with their truth.

    Attributes:
        pixels: (N, 3, H, W) uint8, a tensor, or ``LazyImages``, which gives parts as tensors.
        label: (N,) int64, the inlier class, or -1 where there is none.
        outlier: (N,) bool, true for anomalies; all false in a training split.
        names: what each image is called in ``scores.csv``: its path, or its index.
    """

    pixels: Pixels
    label: Tensor
    outlier: Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class Splits:
    """What a data set delivers: inliers to train on, and test images with their truth."""

    train: Images
    test: Images
    classes: Sequence[str] = ("inlier",)  #: names of the inlier classes that ``label`` counts


class Dataset(ABC):
    """Images of what is normal, and test images with their truth."""

    @abstractmethod
    def load(self, seed: int) -> Splits:
        """Read the images; ``seed`` decides a split where the data set makes one.

        Raises:
            adframe.UserError: the data is missing, empty or unreadable; one clear line.
        """

    def outliers(self, seed: int) -> Images:
        """The whole test split, where a config names this data set under ``outliers``.

        Every image of it counts as an anomaly, whatever the data set calls normal. Override it
        where the test images can be had without training images.
        """
        return self.load(seed).test

    def exposed(self, seed: int) -> Images:
        """Images to learn from as known outliers, where a config names it under ``exposure``."""
        return self.load(seed).train
