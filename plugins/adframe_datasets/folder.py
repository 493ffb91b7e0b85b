"""Any folder of class folders as a data set."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from adframe import UserError, find_images
from adframe.interfaces import Count, Images, Splits

from .classes import Classed, Listing, Names, Size, seeded_order
from .decoding import FromFiles, Workers

Share = Annotated[float, Interval(gt=0, lt=1)]


class HeldOut(FromFiles, Classed):
    """Images that nobody has split: a share of each normal class is held out for testing.

    As an outlier set it gives every image there is, since none of it is trained on.

    Args:
        test_share: [guess: 0.3] Share of each normal class held out; drawn by the run's seed. The
            other classes are tested on whole.
    """

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        size: Size | None = None,
        test_share: Share = 0.3,
        cache: Path | None = None,
        workers: Workers = None,
    ) -> None:
        super().__init__(root, normal, labelled, without, train_limit, test_limit)
        self.decode_as(size, cache, workers)
        self.test_share = test_share

    @abstractmethod
    def files(self) -> dict[str, list[Path]]:
        """Every image, by class."""

    def whole(self) -> Listing:
        return self.listed(self.files())

    def listing(self, train: bool, seed: int) -> Listing:
        files = self.files()
        chosen = dict(files)
        for name in self.inliers(list(files)):
            paths = [files[name][i] for i in seeded_order(len(files[name]), seed)]
            if len(paths) < 2:
                raise UserError(f"{paths[0].parent}: one image cannot be split in two")
            held_out = min(max(1, round(len(paths) * self.test_share)), len(paths) - 1)
            chosen[name] = sorted(paths[held_out:] if train else paths[:held_out])
        return self.listed(chosen)


class ImageFolder(HeldOut):
    """Images below ``ROOT/<class>/``, of one's own or of a published set.

    One-class with ``normal: automobile``; several names make one inlier class of them, none makes
    it of all. The training split holds only normal classes; the test split holds every class, and
    what is not normal is an outlier. Every kind of image is brought to 8-bit RGB: grey is
    repeated, transparency laid upon white, 16 bits scaled to 8.

    As an outlier set it gives every image below ``test_root``, or below ``root`` without one, and
    under ``exposure`` every image below ``root``; there class folders are not needed.

    Args:
        root: Folder of one folder per class, to train on. Relative to where the command runs.
        test_root: The same for testing; without it a share of ``root`` is held out.
        size: Shorter side after resizing, then the centre square is cut out; without it all
            images must share one size.
        test_share: [guess: 0.3] Share of each normal class held out for testing where there is no
            ``test_root``; drawn by the run's seed. The other classes are tested on whole.
        skip_unreadable: Whether files that are damaged or no images are left out, with a warning
            that counts them and names the first; otherwise they are an error.
    """

    def __init__(
        self,
        root: Path,
        test_root: Path | None = None,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        size: Size | None = None,
        test_share: Share = 0.3,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        skip_unreadable: bool = False,
        cache: Path | None = None,
        workers: Workers = None,
    ) -> None:
        chosen = normal, labelled, without, train_limit, test_limit
        super().__init__(root, *chosen, size, test_share, cache, workers)
        self.test_root = None if test_root is None else test_root.expanduser()
        self.skip_unreadable = skip_unreadable

    def files(self) -> dict[str, list[Path]]:
        return class_folders(self.root)

    def whole(self) -> Listing:
        return self.listed(any_folder(self.test_root or self.root))

    def listing(self, train: bool, seed: int) -> Listing:
        if self.test_root is None:
            return super().listing(train, seed)
        if train:
            return self.listed(self.files())
        files = class_folders(self.test_root)
        classes = [folder.name for folder in _folders(self.root)]
        for name in set(self.inliers(classes, list(files))) - set(files):
            raise UserError(f"{self.test_root}: no folder of the normal class '{name}'")
        return self.listed(files)

    def exposed(self, seed: int) -> Images:
        listing = self.listed(any_folder(self.root))
        return self._images(listing, self._kept(listing.classes), [], self.train_limit)

    def load(self, seed: int) -> Splits:
        splits = super().load(seed)
        here, there = (tuple(i.pixels.shape[2:]) for i in (splits.train, splits.test))
        if here != there:
            raise UserError(f"{self.test_root}: images of {there} pixels, not {here}; set size")
        return splits


def class_folders(root: Path) -> dict[str, list[Path]]:
    """The images below each folder of ``root``.

    Raises:
        UserError: there is no such folder, or none in it, or one without images.
    """
    files = {folder.name: _images_below(folder) for folder in _folders(root)}
    for name, paths in files.items():
        if not paths:
            raise UserError(f"{root / name}: no images in this class folder")
    return files


def any_folder(root: Path) -> dict[str, list[Path]]:
    """The same, of a folder that may also hold the images themselves.

    Raises:
        UserError: there is no such folder, or no image in it.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    files: dict[str, list[Path]] = {}
    for path in _images_below(root):
        folder, *rest = path.relative_to(root).parts
        files.setdefault(folder if rest else root.name, []).append(path)
    if not files:
        raise UserError(f"{root}: no images in this folder")
    return files


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if not folders:
        raise UserError(f"{root}: holds no class folders; expected {root}/<class>/<image>")
    return folders


def _images_below(folder: Path) -> list[Path]:
    return [path for path in find_images([folder]) if path.name[0] != "."]
