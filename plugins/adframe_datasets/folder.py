"""Any folder of class folders as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from adframe import UserError, find_images, read_images, readable_images
from adframe.interfaces import Count, Dataset, Images, Splits

from .classes import as_images, normal_classes, seeded_order

Share = Annotated[float, Interval(gt=0, lt=1)]


class ImageFolder(Dataset):
    """Images below ``ROOT/<class>/``, of one's own or of a published set.

    One-class with ``normal: automobile``; several names make one inlier class of them, none makes
    it of all. The training split holds only normal classes; the test split holds every class, and
    what is not normal is an outlier. Every kind of image is brought to 8-bit RGB: grey is
    repeated, transparency laid upon white, 16 bits scaled to 8.

    Args:
        root: Folder of one folder per class, to train on. Relative to where the command runs.
        test_root: The same for testing; without it a share of ``root`` is held out.
        normal: The class or classes that are normal; all by default.
        labelled: Whether inliers keep their class as a label (the labelled multi-class setting).
        size: Shorter side after resizing, then the centre square is cut out; without it all
            images must share one size.
        test_share: Share of each normal class held out for testing where there is no
            ``test_root``; drawn by the run's seed. The other classes are tested on whole.
        train_limit: Most training images of a class, the first in order of name.
        test_limit: Most test images of a class, the first in order of name.
        skip_unreadable: Whether files that are damaged or no images are left out, with a warning
            that counts them and names the first; otherwise they are an error.
    """

    def __init__(
        self,
        root: Path,
        test_root: Path | None = None,
        normal: str | Sequence[str] | None = None,
        labelled: bool = False,
        size: Annotated[int, Interval(ge=8, le=1024)] | None = None,
        test_share: Share = 0.3,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        skip_unreadable: bool = False,
    ) -> None:
        self.root = root.expanduser()
        self.test_root = None if test_root is None else test_root.expanduser()
        self.normal = normal
        self.labelled = labelled
        self.size = size
        self.test_share = test_share
        self.train_limit = train_limit
        self.test_limit = test_limit
        self.skip_unreadable = skip_unreadable

    def load(self, seed: int) -> Splits:
        files = _by_class(self.root)
        normal = normal_classes(self.normal, list(files), str(self.root))
        if self.test_root is None:
            train, test = self._hold_out(files, normal, seed)
        else:
            train, test = files, _by_class(self.test_root)
            for name in set(normal) - set(test):
                raise UserError(f"{self.test_root}: no folder of the normal class '{name}'")
        train = {name: train[name][: self.train_limit] for name in normal}
        test = {name: paths[: self.test_limit] for name, paths in test.items()}
        classes = normal if self.labelled else ["inlier"]
        splits = Splits(self._read(train, normal), self._read(test, normal), classes)
        here, there = (tuple(i.pixels.shape[2:]) for i in (splits.train, splits.test))
        if here != there:
            raise UserError(f"{self.test_root}: images of {there} pixels, not {here}; set size")
        return splits

    def _hold_out(
        self, files: dict[str, list[Path]], normal: list[str], seed: int
    ) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        train, test = {}, dict(files)
        for name in normal:
            paths = [files[name][i] for i in seeded_order(len(files[name]), seed)]
            if len(paths) < 2:
                raise UserError(f"{self.root / name}: one image cannot be split; set test_root")
            held_out = min(max(1, round(len(paths) * self.test_share)), len(paths) - 1)
            test[name], train[name] = sorted(paths[:held_out]), sorted(paths[held_out:])
        return train, test

    def _read(self, files: dict[str, list[Path]], normal: list[str]) -> Images:
        paths = [path for of_class in files.values() for path in of_class]
        of = [name for name, of_class in files.items() for _ in of_class]
        if self.skip_unreadable:
            pixels, kept = readable_images(paths, self.size)
            paths, of = [paths[row] for row in kept], [of[row] for row in kept]
        else:
            pixels = read_images(paths, self.size)
        return as_images(pixels, of, [str(path) for path in paths], normal, self.labelled)


def _by_class(root: Path) -> dict[str, list[Path]]:
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if not folders:
        raise UserError(f"{root}: holds no class folders; expected {root}/<class>/<image>")
    files = {folder.name: find_images([folder]) for folder in folders}
    for name, paths in files.items():
        if not paths:
            raise UserError(f"{root / name}: no images in this class folder")
    return files
