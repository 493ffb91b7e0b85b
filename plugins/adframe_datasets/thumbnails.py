"""Data sets of 32x32 images that fit in memory: CIFAR-10, CIFAR-100, SVHN."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import torch
from torch import Tensor

from .classes import ClassOptions, Listing
from .torchvision_source import FromTorchvision


class ThumbnailOptions(ClassOptions, total=False):
    """Types of the options of ``Thumbnails``, for its subclasses."""

    download: bool


class Thumbnails(FromTorchvision):
    """Small images of one size, which fit in memory."""

    def __init__(self, root: Path, download: bool = False, **options: Unpack[ClassOptions]) -> None:
        super().__init__(root, **options)
        self.download = download


class CIFAR10(Thumbnails):
    """CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, ten classes.

    With ``normal: automobile`` that class is trained on, and the other nine are the outliers of the
    test split. Without ``normal`` all ten are inliers, and ``outliers`` must name other data sets.
    No formal licence; cite the technical report.

    Args:
        root: Folder with ``cifar-10-batches-py`` (an archive of 170 MB).
    """

    title = "CIFAR-10"
    source = "CIFAR10"

    def listing(self, train: bool, seed: int) -> Listing:
        data = self.official(train=train)
        return _in_memory(data.data.transpose(0, 3, 1, 2), data.targets, data.classes, train)


class CIFAR100(Thumbnails):
    """CIFAR-100 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, 100 classes.

    By default the classes are the 20 super-classes (``fish``, ``flowers``, ...), as in all
    one-class protocols. No formal licence; cite the technical report.

    Args:
        root: Folder with ``cifar-100-python`` (an archive of 169 MB).
        classes: [published: coarse] The 20 super-classes or the 100 fine classes.
    """

    title = "CIFAR-100"
    source = "CIFAR100"

    def __init__(
        self,
        root: Path,
        classes: Literal["coarse", "fine"] = "coarse",
        **options: Unpack[ThumbnailOptions],
    ) -> None:
        super().__init__(root, **options)
        self.classes = classes

    def listing(self, train: bool, seed: int) -> Listing:
        data = self.official(train=train)
        labels, names = data.targets, data.classes
        if self.classes == "coarse":  # in the same files, but torchvision does not read them
            folder = self.root / data.base_folder
            ((file, _),) = data.train_list if train else data.test_list
            labels = _unpickled(folder / file)["coarse_labels"]
            names = _unpickled(folder / data.meta["filename"])["coarse_label_names"]
        return _in_memory(data.data.transpose(0, 3, 1, 2), labels, names, train)


class SVHN(Thumbnails):
    """Street View House Numbers (Netzer et al. 2011): 73,257 and 26,032 images, 32x32, ten digits.

    The cropped digits. The classes are ``"0"`` to ``"9"``. As an outlier set only the test file is
    needed. For non-commercial use only.

    Args:
        root: Folder with ``train_32x32.mat`` (182 MB) and ``test_32x32.mat``
            (64 MB).
    """

    title = source = "SVHN"

    def listing(self, train: bool, seed: int) -> Listing:
        data = self.official(split="train" if train else "test")
        digits = [str(digit) for digit in range(10)]
        return _in_memory(data.data, data.labels, digits, train)


def _in_memory(data: Any, labels: Sequence[int], classes: list[str], train: bool) -> Listing:
    """A listing of images (N, 3, H, W) uint8 that are already in memory."""

    def read(rows: list[int]) -> tuple[Tensor, list[int]]:
        return torch.from_numpy(np.ascontiguousarray(data[rows])), rows

    split = "train" if train else "test"
    names = [f"{split}/{row}" for row in range(len(data))]
    return Listing(classes, [classes[label] for label in labels], names, read)


def _unpickled(path: Path) -> Any:
    """Reads a file of the archive. torchvision has just compared its digest."""
    with path.open("rb") as file:
        return pickle.load(file, encoding="latin1")  # noqa: S301
