"""Data sets: images with labels and ground truth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from adframe.data.lazy import Pixels, subset
from adframe.data.masks import LazySequence
from adframe.data.reading import Fit
from adframe.io.paths import AnyPath


@dataclass
class Images:
    """Images with labels and ground truth.

    Attributes:
        pixels: (N, 3, H, W) uint8, a tensor or ``LazyImages``, whose parts are tensors.
        label: (N,) int64, the inlier class, or -1 for none.
        outlier: (N,) bool, true for anomalies; all false in a training split.
        names: name of each image in ``scores.csv``: its path or its index.
        of: class of each image, such as the kind of a defect; empty if that is not known.
        masks: (H, W) bool of the size of the pixels for each image, true where a defect is, or None
            if that is not known; read when it is asked for. Empty for a data set without masks.
    """

    pixels: Pixels
    label: Tensor
    outlier: Tensor
    names: Sequence[str]
    of: Sequence[str] = ()
    masks: Sequence[Tensor | None] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    def subset(self, rows: Tensor) -> Images:
        """Selects images by index, int64, without a copy of pixels or masks."""
        chosen: list[int] = rows.tolist()
        return Images(
            subset(self.pixels, rows),
            self.label[rows],
            self.outlier[rows],
            [self.names[row] for row in chosen],
            [self.of[row] for row in chosen] if self.of else (),
            LazySequence(chosen, self.masks.__getitem__) if self.masks else (),
        )


@dataclass
class Splits:
    """The splits of a data set: inliers to train on, and test images with ground truth.

    Attributes:
        train: the inliers to train on.
        test: the test images.
        classes: names of the inlier classes; ``label`` is an index of it.
        validation: images to judge a run by while it trains, inliers among them; None if the data
            set has none. They are read only if a config has ``validation``.
    """

    train: Images
    test: Images
    classes: Sequence[str] = ("inlier",)
    validation: Images | None = None


class Dataset(ABC):
    """A source of inliers to train on and of test images with ground truth.

    Attributes:
        set_name: name of its images as a set of outliers if a run has several sets of this
            component, such as the name of its folder; the config's ``set_name`` comes before it.
        size: side of its square images, or their height and width, if known without reading them;
            ``adframe check`` then tries the components on images of this size.
        depth: number of bits that the grey values of its files use, if those are more than 8;
            ``score`` reads files likewise. None is 16.
        fit: how its files are brought to one size, as for ``read_images``; ``score`` reads files
            likewise.
        region: the part of each image that is seen, as for ``read_images``: the file of a mask, or
            top, left, bottom, right of a box; None is all. The run reads the mask once, before the
            images, and a detector keeps it.
        draft: whether the decoder of JPEG files may halve large pictures, as for ``read_images``;
            ``score`` reads files likewise.
        set_per_class: whether the anomalies of its test split are a set of outliers for each class,
            such as each kind of defect, each with an AUROC. By default they are one set.
    """

    set_name: str = ""
    size: int | tuple[int, int] | None = None
    depth: int | None = None
    fit: Fit = "crop"
    region: AnyPath | Sequence[int] | None = None
    draft: bool = False
    set_per_class: bool = False

    @abstractmethod
    def load(self, seed: int) -> Splits:
        """Reads the images. ``seed`` determines the split if the authors of the data set give none.

        Raises:
            adframe.UserError: the data is missing, empty or unreadable; one clear line.
        """

    def outliers(self, seed: int) -> Images:
        """The whole test split, for a data set that a config names under ``outliers``.

        Every image of it counts as an anomaly, including those of normal classes. Override it if
        the test images can be read without the training images.
        """
        return self.load(seed).test

    def exposed(self, seed: int) -> Images:
        """Known outliers to train with, for a data set that a config names under ``exposure``."""
        return self.load(seed).train
