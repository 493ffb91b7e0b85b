"""Industrial parts with defects and their masks: MVTec AD and VisA."""

from __future__ import annotations

import csv
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Unpack

from adframe import UserError, find_images
from adframe.interfaces import Fit

from .classes import Listing, Names, Size, named
from .files import ClassedFiles, DecodeOptions
from .folder import class_folders
from .mask_folder import MaskFolder

COLUMNS = ("object", "split", "label", "image", "mask")  # of VisA's tables


class Industrial(ClassedFiles):
    """Photographs of parts: good ones to train on, good and defective ones to test with.

    Each kind of defect is a separate outlier set with its AUROC; their mean weighs all kinds alike.
    A category is one run. Several categories, or ``category: all``, are one inlier class
    together; to train a detector for each, run a table.

    Args:
        category: The category or categories, or ``all``. Needed if there are several.
        size: [inferred: DROC and CutPaste, 256] Side of the square that all images become, or its
            height and width.
        fit: [inferred: published protocols resize the whole image] What becomes of an image of
            another shape than ``size``: ``squash`` stretches it, ``pad`` repeats its edge around
            it, and ``crop`` cuts out its largest central part of that shape.
        normal: The normal class or classes; all good images by default.
    """

    set_per_class = True
    good: ClassVar[str]  #: class of the images without a defect

    def __init__(
        self,
        root: Path,
        category: Names = None,
        size: Size = 256,
        fit: Fit = "squash",
        **options: Unpack[DecodeOptions],
    ) -> None:
        super().__init__(root, size, fit=fit, **options)
        self.category = category
        self.set_name = category if isinstance(category, str) else self.root.name

    @abstractmethod
    def categories(self) -> list[str]:
        """The categories in the folder."""

    @abstractmethod
    def files(self, category: str, train: bool) -> dict[str, list[Path]]:
        """All images of a category in one split, by class."""

    def listing(self, train: bool, seed: int) -> Listing:
        known = self.categories()
        if self.category is None and len(known) > 1:
            raise UserError(f"category: choose among {', '.join(known)}; or all")
        chosen = known
        if self.category not in (None, "all"):
            chosen = named(self.category, known, self.where, "category", "category", "categories")
        found = {}
        for category in chosen:
            for name, paths in self.files(category, train).items():
                found[name if len(chosen) == 1 else f"{category}/{name}"] = paths
        return self.listed(found)

    def is_good(self, of: str) -> bool:
        """Whether a class is that of the images without a defect, in any category."""
        return of.rpartition("/")[2] == self.good


class MVTec(Industrial):
    """MVTec AD (Bergmann et al., CVPR 2019): 3,629 and 1,725 photographs of 15 categories.

    Ten objects and five textures, and 70 kinds of defect with masks. Any folder of the same layout
    will do. CC BY-NC-SA 4.0: non-commercial only.

    Args:
        root: Folder with ``<category>/train/good``, ``<category>/test/<defect>`` and
            ``<category>/ground_truth/<defect>/<stem>_mask.png`` (5 GB), or one category of it.
    """

    title = "MVTec AD"
    good = "good"

    def categories(self) -> list[str]:
        if (self.root / "train/good").is_dir():
            return [self.root.resolve().name]
        found = sorted(path.parents[1].name for path in self.root.glob("*/train/good"))
        if not found:
            expected = "<category>/train/good/<image>"
            raise UserError(f"{self.root}: this is not {self.title}; expected {expected}")
        return found

    def files(self, category: str, train: bool) -> dict[str, list[Path]]:
        folder = self._folder(category)
        if not train:
            return class_folders(folder / "test")
        paths = find_images(folder / "train/good")
        if not paths:
            raise UserError(f"{folder / 'train/good'}: no images in this folder")
        return {self.good: paths}

    def mask_of(self, path: Path, of: str) -> Path | None:
        if self.is_good(of):
            return None
        (folder,) = (folder for folder in path.parents if folder in self._masks)
        return self._masks[folder].of(path, path.relative_to(folder / "test"))

    @cached_property
    def _masks(self) -> dict[Path, MaskFolder]:
        folders = map(self._folder, self.categories())
        return {folder: MaskFolder(folder / "ground_truth") for folder in folders}

    def _folder(self, category: str) -> Path:
        whole = (self.root / "train/good").is_dir()
        return self.root if whole else self.root / category


class VisA(Industrial):
    """VisA (Zou et al., ECCV 2022): 8,659 and 2,162 photographs of 12 kinds of objects.

    Anomalies have masks; their kinds are not distinguished. The split is that of one class per
    category. CC BY 4.0.

    Args:
        root: Folder with ``<category>/Data/Images/{Normal,Anomaly}``,
            ``<category>/Data/Masks/Anomaly`` and ``split_csv/1cls.csv`` (2 GB).
    """

    title = "VisA"
    good = "normal"

    def categories(self) -> list[str]:
        return sorted({row["object"] for row in self._rows})

    def files(self, category: str, train: bool) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for row in self._rows:
            if row["object"] == category and row["split"] == ("train" if train else "test"):
                found.setdefault(row["label"], []).append(self.root / row["image"])
        if self.good not in found:
            raise UserError(f"{self._table}: no {self.good} images of {category}")
        return found

    def mask_of(self, path: Path, of: str) -> Path | None:
        if self.is_good(of):
            return None
        if not self._masks[path]:
            raise UserError(f"{self._table}: no mask of {path}")
        return self.root / self._masks[path]

    @cached_property
    def _masks(self) -> dict[Path, str]:
        return {self.root / row["image"]: row["mask"] for row in self._rows}

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        """The rows of the published table of images."""
        try:
            text = self._table.read_text("utf-8-sig")
        except FileNotFoundError:
            expected = "split_csv/1cls.csv and <category>/Data"
            raise UserError(f"{self.root}: this is not VisA; expected {expected}") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{self._table}: unreadable table of images") from error
        rows = list(csv.DictReader(text.splitlines()))
        for number, row in enumerate(rows, 2):
            if not all(isinstance(row.get(name), str) for name in COLUMNS):
                expected = f"{self._table}:{number}: expected the columns {', '.join(COLUMNS)}"
                raise UserError(expected)
        return rows

    @property
    def _table(self) -> Path:
        return self.root / "split_csv/1cls.csv"
