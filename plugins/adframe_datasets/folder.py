"""Any folder of class folders as a data set."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Unpack

from annotated_types import Interval

from adframe import UserError, find_images
from adframe.interfaces import Fit, Images, Splits

from .classes import Listing, Names, Size, seeded_order
from .files import ClassedFiles, DecodeOptions, FileOptions
from .mask_folder import MaskFolder

logger = logging.getLogger("adframe")

Share = Annotated[float, Interval(gt=0, lt=1)]


class HeldOut(ClassedFiles):
    """Images without a split: a share of each normal class is held out for testing.

    As an outlier set it gives all images, since none of them is trained on.

    Args:
        test_share: [guess: 0.3] Share of each normal class that is held out, drawn by the run's
            seed. All images of the other classes are test images.
    """

    def __init__(
        self,
        root: Path,
        size: Size | None = None,
        test_share: Share = 0.3,
        **options: Unpack[FileOptions],
    ) -> None:
        super().__init__(root, size, **options)
        self.test_share = test_share

    @abstractmethod
    def files(self) -> dict[str, list[Path]]:
        """All images by class."""

    def whole(self) -> Listing:
        return self.listed(self.files())

    def listing(self, train: bool, seed: int) -> Listing:
        return self.listings(seed)[0 if train else 1]

    def listings(self, seed: int) -> tuple[Listing, Listing]:
        files = self.files()  # found once, so that both splits share the same files
        train, test = dict(files), dict(files)
        for name in self.inliers(list(files)):
            paths = [files[name][i] for i in seeded_order(len(files[name]), seed)]
            if len(paths) < 2:
                raise UserError(f"{paths[0].parent}: one image cannot be split in two")
            held_out = min(max(1, round(len(paths) * self.test_share)), len(paths) - 1)
            train[name], test[name] = sorted(paths[held_out:]), sorted(paths[:held_out])
        return self.listed(train), self.listed(test)


class ImageFolder(HeldOut):
    """Images in class folders, ``ROOT/<class>/``: your own photographs or a published data set.

    With ``normal: automobile`` one class is normal. Several names, or none for all classes, make
    one inlier class together. The training split holds the normal classes only. The test split
    holds all classes; images of classes that are not normal are outliers. All images become 8-bit
    RGB: grey is repeated, transparent parts become white, 16 bits are scaled to 8.

    As an outlier set it gives all images of ``test_root``, or of ``root`` without one. Under
    ``exposure`` it gives all images of ``root``. Both work without class folders.

    Args:
        root: Folder with one folder per class, for training, relative to the working directory. A
            folder that holds only images is one class of its name.
        test_root: The same for testing. Without it, a share of ``root`` is held out.
        size: Side of the square that all images become, or its height and width, in the way
            of ``fit``. Without it, all images must have the same size.
        test_share: [guess: 0.3] Share of each normal class that is held out for testing if there is
            no ``test_root``, drawn by the run's seed. All images of the other classes are test
            images.
        fit: [inferred: the better raw-pixel baseline on photographs of magnetic tiles] What becomes
            of an image of another shape than ``size``. ``squash`` stretches it, ``pad`` shows all
            of it in the middle and repeats its edge around it, and ``crop`` cuts out its largest
            central part of that shape.
        masks: Folder of masks for the defects of test images, in the same class folders as these:
            ``<class>/<stem>_mask.png`` or ``<class>/<stem>.png``, in any image format. A mask has
            the size of its image; every value but 0 is a defect. Images of normal classes need
            none.
        skip_unreadable: Whether to skip damaged files and files that are no images, with a warning
            that gives their number and the first name. Otherwise they are an error.
    """

    def __init__(
        self,
        root: Path,
        test_root: Path | None = None,
        size: Size | None = None,
        test_share: Share = 0.3,
        skip_unreadable: bool = False,
        masks: Path | None = None,
        fit: Fit = "squash",
        **options: Unpack[DecodeOptions],
    ) -> None:
        super().__init__(root, size, test_share, fit=fit, **options)
        self.masks = None if masks is None else MaskFolder(masks.expanduser())
        self.test_root = None if test_root is None else test_root.expanduser()
        self.set_name = (self.test_root or self.root).name
        self.skip_unreadable = skip_unreadable

    def files(self) -> dict[str, list[Path]]:
        return class_folders(self.root, self.without)

    def whole(self) -> Listing:
        return self.listed(any_folder(self.test_root or self.root))

    def listings(self, seed: int) -> tuple[Listing, Listing]:
        if self.test_root is None:
            return super().listings(seed)
        train = self.listed(self.files())
        files = class_folders(self.test_root, self.without)
        classes = [folder.name for folder in _folders(self.root)]
        for name in set(self.inliers(classes, list(files))) - set(files):
            raise UserError(f"{self.test_root}: no folder of the normal class '{name}'")
        return train, self.listed(files)

    def mask_of(self, path: Path, of: str) -> Path | None:
        place = path.relative_to(self.test_root or self.root)
        return None if self.masks is None else self.masks.of(path, place)

    def exposed(self, seed: int) -> Images:
        listing = self.listed(any_folder(self.root))
        return self._images(listing, self._kept(listing.classes), [], self.train_limit)

    def load(self, seed: int) -> Splits:
        splits = super().load(seed)
        here, there = (tuple(i.pixels.shape[2:]) for i in (splits.train, splits.test))
        if here != there:
            raise UserError(f"{self.test_root}: images of {there} pixels, not {here}; set size")
        return splits


def class_folders(root: Path, without: Names = None) -> dict[str, list[Path]]:
    """The images in each class folder of ``root``; images outside of them are not read.

    Args:
        root: the folder.
        without: class or classes that are excluded, and may have no images.

    Raises:
        UserError: ``root`` does not exist or has no class folder, or a class folder has no images.
    """
    left_out = [without] if isinstance(without, str) else without or ()
    names = _names(root)
    found = _by_class(root)
    if "" in found and not any(os.path.isdir(root / name) for name in names if name[0] != "."):
        return {root.resolve().name: found[""]}
    folders = _folders(root)
    if loose := found.pop("", []):
        logger.warning("passed over: %d images in no class folder (%s, ...)", len(loose), loose[0])
    for folder in folders:
        if folder.name in left_out:
            found.setdefault(folder.name, [])
        elif folder.name not in found:
            raise UserError(f"{folder}: no images in this class folder")
    return found


def any_folder(root: Path) -> dict[str, list[Path]]:
    """The images in ``root`` and in its class folders, if there are any.

    Raises:
        UserError: ``root`` does not exist or has no images.
    """
    _names(root)
    found = {name or root.name: paths for name, paths in _by_class(root).items()}
    if not found:
        raise UserError(f"{root}: no images in this folder")
    return found


def _folders(root: Path) -> list[Path]:
    folders = [
        root / name for name in _names(root) if name[0] != "." and os.path.isdir(root / name)
    ]
    if not folders:
        raise UserError(f"{root}: holds no class folders; expected {root}/<class>/<image>")
    return folders


def _names(root: Path) -> list[str]:
    """What lies in a folder, sorted."""
    try:
        return sorted(os.listdir(root))
    except FileNotFoundError:
        raise UserError(f"{root}: no such folder") from None
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{root}: cannot be read: {reason}") from error


def _by_class(root: Path) -> dict[str, list[Path]]:
    """The images below ``root`` by class folder; of those in none, the class is empty."""
    files: dict[str, list[Path]] = {}
    for path in find_images(root):
        folder, *rest = path.relative_to(root).parts
        files.setdefault(folder if rest else "", []).append(path)
    return files
