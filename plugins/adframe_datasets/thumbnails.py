"""Data sets of 32x32 images that fit in memory: CIFAR-10, CIFAR-100, SVHN."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from adframe.interfaces import Count

from .classes import Listing, Names
from .official import Official


class CIFAR10(Official):
    """CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, ten classes.

    One-class with ``normal: automobile``: that class is trained on, and the other nine are the
    test split's outliers. Without ``normal`` all ten are inliers, and ``outliers`` must name other
    data sets. No formal licence; cite the technical report.

    Args:
        root: Folder that holds, or gets, ``cifar-10-batches-py`` (an archive of 170 MB).
    """

    title = "CIFAR-10"
    source = "CIFAR10"

    def listing(self, train: bool, seed: int) -> Listing:
        data = self.official(train=train)
        return _in_memory(data.data.transpose(0, 3, 1, 2), data.targets, data.classes, train)


class CIFAR100(Official):
    """CIFAR-100 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, 100 classes.

    A class is one of the 20 super-classes (``fish``, ``flowers``, ...), as in every one-class
    protocol, or one of the 100 that make them up. No formal licence; cite the technical report.

    Args:
        root: Folder that holds, or gets, ``cifar-100-python`` (an archive of 169 MB).
        classes: [published: coarse] The 20 super-classes, or the 100 fine classes.
    """

    title = "CIFAR-100"
    source = "CIFAR100"

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        download: bool = False,
        classes: Literal["coarse", "fine"] = "coarse",
    ) -> None:
        super().__init__(root, normal, labelled, without, train_limit, test_limit, download)
        self.classes = classes

    def listing(self, train: bool, seed: int) -> Listing:
        data = self.official(train=train)
        labels, names = data.targets, data.classes
        if self.classes == "coarse":  # in the same files, though torchvision leaves them out
            folder = self.root / data.base_folder
            ((file, _),) = data.train_list if train else data.test_list
            labels = _unpickled(folder / file)["coarse_labels"]
            names = _unpickled(folder / data.meta["filename"])["coarse_label_names"]
        return _in_memory(data.data.transpose(0, 3, 1, 2), labels, names, train)


class SVHN(Official):
    """Street View House Numbers (Netzer et al. 2011): 73,257 and 26,032 images, 32x32, ten digits.

    The cropped digits; classes are called ``"0"`` to ``"9"``. As an outlier set only the test file
    is needed. For non-commercial use only.

    Args:
        root: Folder that holds, or gets, ``train_32x32.mat`` (182 MB) and ``test_32x32.mat``
            (64 MB).
    """

    title = source = "SVHN"

    def listing(self, train: bool, seed: int) -> Listing:
        data = self.official(split="train" if train else "test")
        digits = [str(digit) for digit in range(10)]
        return _in_memory(data.data, data.labels, digits, train)


def _in_memory(data: Any, labels: Sequence[int], classes: list[str], train: bool) -> Listing:
    """Images (N, 3, H, W) uint8 that are decoded already."""

    def read(rows: list[int]) -> tuple[Tensor, list[int]]:
        return torch.from_numpy(np.ascontiguousarray(data[rows])), rows

    split = "train" if train else "test"
    names = [f"{split}/{row}" for row in range(len(data))]
    return Listing(classes, [classes[label] for label in labels], names, read)


def _unpickled(path: Path) -> Any:
    """A file of the archive, whose digest torchvision has just compared."""
    with path.open("rb") as file:
        return pickle.load(file, encoding="latin1")  # noqa: S301
