"""What every data set with classes shares: which are normal, and how that splits it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from annotated_types import Interval

from adframe import UserError
from adframe.interfaces import Count, Dataset, Images, Pixels, Splits

Names = str | Sequence[str] | None  #: one class, several, or none named
Size = Annotated[int, Interval(ge=8, le=1024)]


@dataclass(frozen=True)
class Listing:
    """The images of one split, before any is decoded.

    Attributes:
        classes: every class there is, in the order its images are to come.
        of: class of each image.
        names: what to call each image.
        read: (N, 3, H, W) uint8 pixels of the images asked for, and which of them these are.
    """

    classes: Sequence[str]
    of: Sequence[str]
    names: Sequence[str]
    read: Callable[[list[int]], tuple[Pixels, list[int]]]


class Classed(Dataset):
    """Images of several classes, some of which are normal.

    Training images are those of the normal classes; the test split holds every class, and what is
    not normal is an outlier. As an outlier set it gives the test images of every class.

    Args:
        root: Folder that holds the data set. Relative to where the command runs.
        normal: The class or classes that are normal; all by default. Several are one inlier class
            unless ``labelled``.
        labelled: Whether inliers keep their class as a label (the labelled multi-class setting).
        without: A class or classes left out altogether, as where outliers would show what inliers
            do.
        train_limit: Most training images of a class, the first in order.
        test_limit: Most test images of a class, the first in order.
    """

    title: ClassVar[str] = ""  #: what an error calls the data set; its folder where empty

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
        self.where = self.title or str(self.root)
        self.normal = normal
        self.labelled = labelled
        self.without = without
        self.train_limit = train_limit
        self.test_limit = test_limit

    @abstractmethod
    def listing(self, train: bool, seed: int) -> Listing:
        """The training or the test images, found and not yet decoded."""

    def whole(self) -> Listing:
        """What there is to test outlier detection with."""
        return self.listing(train=False, seed=0)

    def load(self, seed: int) -> Splits:
        train, test = self.listing(True, seed), self.listing(False, seed)
        normal = self.inliers(train.classes, test.classes)
        return Splits(
            self._images(train, normal, normal, self.train_limit),
            self._images(test, self._kept(train.classes, test.classes), normal, self.test_limit),
            normal if self.labelled else ["inlier"],
        )

    def outliers(self, seed: int) -> Images:
        listing = self.whole()
        return self._images(listing, self._kept(listing.classes), [], self.test_limit)

    def inliers(self, classes: Sequence[str], others: Sequence[str] = ()) -> list[str]:
        """The normal classes, among those there are to train on."""
        kept = self._kept(classes, others)
        return named(self.normal, [name for name in classes if name in kept], self.where, "normal")

    def _kept(self, *of: Sequence[str]) -> list[str]:
        classes = list(dict.fromkeys(name for classes in of for name in classes))
        if self.without is None:
            return classes
        left_out = named(self.without, classes, self.where, "without")
        return [name for name in classes if name not in left_out]

    def _images(
        self, listing: Listing, classes: Sequence[str], normal: list[str], limit: int | None
    ) -> Images:
        rows_of: dict[str, list[int]] = {name: [] for name in classes}
        for row, name in enumerate(listing.of):
            if name in rows_of:
                rows_of[name].append(row)
        rows = [row for of_class in rows_of.values() for row in of_class[:limit]]
        pixels, rows = listing.read(rows)
        of = [listing.of[row] for row in rows]
        names = [listing.names[row] for row in rows]
        return as_images(pixels, of, names, normal, self.labelled)


def named(names: Names, classes: Sequence[str], where: str, option: str) -> list[str]:
    """The classes an option names; all of them for None.

    Raises:
        UserError: a name is not among ``classes``, or there is none; ``where`` names the data set.
    """
    if names is None:
        return list(classes)
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in wanted:
        if name not in classes:
            shown, more = list(classes), ""
            if len(shown) > 12:
                shown, more = get_close_matches(name, classes, 3, 0.4) or shown[:12], ", ..."
            told = ", ".join(shown) + more
            raise UserError(f"{option}: no class '{name}' in {where}; there is: {told}")
    if not wanted:
        raise UserError(f"{option}: name at least one class, or leave it out")
    return wanted


def as_images(
    pixels: Pixels, of: Sequence[str], names: Sequence[str], normal: Sequence[str], labelled: bool
) -> Images:
    """Images with their truth, from the class name of each.

    Args:
        pixels: (N, 3, H, W) uint8.
        of: class of each image; one that is not normal makes it an outlier.
        names: what to call each image.
        normal: the normal classes.
        labelled: whether inliers keep their class as a label; -1 otherwise.
    """
    index = {name: position for position, name in enumerate(normal)}
    label = torch.tensor([index.get(name, -1) if labelled else -1 for name in of])
    outlier = torch.tensor([name not in index for name in of])
    return Images(pixels, label.long(), outlier.bool(), list(names))


def seeded_order(count: int, seed: int) -> list[int]:
    """A permutation of range(count) that ``seed`` alone decides."""
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
