"""Common part of all data sets with classes: selects the normal classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar, TypedDict

import torch
from annotated_types import Interval
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Count, Dataset, Images, Pixels, Splits

Names = str | Sequence[str] | None  #: one class, several classes, or all of them
Side = Annotated[int, Interval(ge=8, le=1024)]
Size = Side | tuple[Side, Side]  #: of a square, or height and width


@dataclass(frozen=True)
class Listing:
    """The images of one split, before any of them is decoded.

    Attributes:
        classes: names of all classes, in the order of the images.
        of: class of each image.
        names: name of each image.
        read: decodes images by index. Returns (N, 3, H, W) uint8 and the indices of these images,
            without those that were skipped.
        masks: opens the masks of test images by index. The second argument is the normal classes,
            whose images have no defect.
    """

    classes: Sequence[str]
    of: Sequence[str]
    names: Sequence[str]
    read: Callable[[list[int]], tuple[Pixels, list[int]]]
    masks: Callable[[list[int], Sequence[str]], Sequence[Tensor | None]] = lambda rows, normal: ()


class ClassOptions(TypedDict, total=False):
    """Types of the options of ``Classed``, for its subclasses."""

    normal: Names
    labelled: bool
    without: Names
    train_limit: Count | None
    test_limit: Count | None


class Classed(Dataset):
    """Images of several classes, some of which are normal.

    The training split holds the normal classes. The test split holds all classes; images of classes
    that are not normal are outliers. As an outlier set it gives the test images of all classes.

    Args:
        root: Folder of the data set, relative to the working directory.
        normal: The normal class or classes; all by default. Several classes are one inlier class
            unless ``labelled``.
        labelled: Whether inliers keep their class as a label (the labelled multi-class setting).
        without: A class or classes to exclude, for example if outliers would show the same
            objects as inliers.
        train_limit: Largest number of training images per class; the first ones are taken.
        test_limit: Largest number of test images per class; the first ones are taken.
    """

    title: ClassVar[str] = ""  #: name of the data set in error messages; its folder if empty

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
    ) -> None:
        self.root = root.expanduser()
        self.set_name = self.root.name
        self.where = self.title or str(self.root)
        self.normal = normal
        self.labelled = labelled
        self.without = without
        self.train_limit = train_limit
        self.test_limit = test_limit

    @abstractmethod
    def listing(self, train: bool, seed: int) -> Listing:
        """Finds the training or the test images, without decoding them."""

    def listings(self, seed: int) -> tuple[Listing, Listing]:
        """Finds the training and the test images, without decoding them."""
        return self.listing(True, seed), self.listing(False, seed)

    def whole(self) -> Listing:
        """Finds all images, for use as outliers of another data set."""
        return self.listing(train=False, seed=0)

    def load(self, seed: int) -> Splits:
        train, test = self.listings(seed)
        normal = self.inliers(train.classes, test.classes)
        kept = self._kept(train.classes, test.classes)
        return Splits(
            self._images(train, normal, normal, self.train_limit),
            self._images(test, kept, normal, self.test_limit, masked=True),
            normal if self.labelled else ["inlier"],
        )

    def outliers(self, seed: int) -> Images:
        listing = self.whole()
        kept = self._kept(listing.classes)
        return self._images(listing, kept, [], self.test_limit, masked=True)

    def inliers(self, classes: Sequence[str], others: Sequence[str] = ()) -> list[str]:
        """The normal classes that have training images."""
        kept = self._kept(classes, others)
        return named(self.normal, [name for name in classes if name in kept], self.where, "normal")

    def _kept(self, *of: Sequence[str]) -> list[str]:
        classes = list(dict.fromkeys(name for classes in of for name in classes))
        if self.without is None:
            return classes
        left_out = named(self.without, classes, self.where, "without")
        return [name for name in classes if name not in left_out]

    def _images(
        self,
        listing: Listing,
        classes: Sequence[str],
        normal: list[str],
        limit: int | None,
        masked: bool = False,
    ) -> Images:
        rows_of: dict[str, list[int]] = {name: [] for name in classes}
        for row, name in enumerate(listing.of):
            if name in rows_of:
                rows_of[name].append(row)
        rows = [row for of_class in rows_of.values() for row in of_class[:limit]]
        pixels, rows = listing.read(rows)
        of = [listing.of[row] for row in rows]
        names = [listing.names[row] for row in rows]
        images = as_images(pixels, of, names, normal, self.labelled)
        return replace(images, masks=listing.masks(rows, normal)) if masked else images


def named(
    names: Names,
    classes: Sequence[str],
    where: str,
    option: str,
    one: str = "class",
    several: str = "classes",
) -> list[str]:
    """The classes that an option names; all of them for None.

    Args:
        names: value of the option.
        classes: all classes.
        where: name of the data set, for error messages.
        option: name of the option, for error messages.
        one, several: what they are, for error messages.

    Raises:
        UserError: a name is not among ``classes``, or ``names`` is empty.
    """
    if names is None:
        return list(classes)
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in wanted:
        if name not in classes:
            shown, more = list(classes), ""
            if len(shown) > 12:
                shown, more = get_close_matches(name, classes, 3, 0.4) or shown[:12], ", ..."
            known = ", ".join(shown) + more
            raise UserError(f"{option}: no {one} '{name}' in {where}; {several}: {known}")
    if not wanted:
        raise UserError(f"{option}: name at least one {one}, or remove the option")
    return wanted


def as_images(
    pixels: Pixels, of: Sequence[str], names: Sequence[str], normal: Sequence[str], labelled: bool
) -> Images:
    """Images with labels and ground truth, from the class of each image.

    Args:
        pixels: (N, 3, H, W) uint8.
        of: class of each image. Images of classes that are not normal are outliers.
        names: name of each image.
        normal: the normal classes.
        labelled: whether inliers keep their class as a label. Otherwise the label is -1.
    """
    index = {name: position for position, name in enumerate(normal)}
    label = torch.tensor([index.get(name, -1) if labelled else -1 for name in of])
    outlier = torch.tensor([name not in index for name in of])
    return Images(pixels, label.long(), outlier.bool(), list(names), list(of))


def seeded_order(count: int, seed: int) -> list[int]:
    """A permutation of range(count) that depends on ``seed`` only."""
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
