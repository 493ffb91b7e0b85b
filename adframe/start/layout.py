"""Which layout a folder of images has: what is normal, what is for testing, where masks are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adframe.data.find import find_images
from adframe.errors import UserError, did_you_mean, one_line
from adframe.io.listing import TABLES, read_table

Files = dict[str, list[Path]]  # class -> images
Kind = Literal["folder", "split", "parts", "table"]

#: Names of a class of normal images, in small letters.
NORMAL = ("good", "normal", "ok", "okay", "pass", "inlier", "inliers", "healthy", "defect_free")
MASKS = ("ground_truth", "masks", "mask")  # folders of masks next to the classes
SHOWN = 12  # names in a message
EXPECTED = (
    "expected images; or folders of classes such as good/ and scratch/; or train/good, test/good "
    "and test/scratch; or several such products; or a CSV or Parquet file with the columns path "
    "and label"
)


@dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Attributes:
        kind: ``folder`` is one folder of images or of classes; ``split`` has train/ and test/;
            ``parts`` the same with a mask for each defect; ``table`` is a CSV or Parquet file.
        root: the folder, or the table.
        normal: the class or classes that are normal; empty for a folder without classes.
        train: images by class that may be trained on.
        test: images by class for testing; of ``folder``, those that are not normal.
        masks: folder of the masks of all defects; None if one is missing.
        with_mask: number of test images of defects that have a mask.
        products: names of the products, if there are several; the layout is that of the first.
        excluded: folders of ``folder`` that are no class: masks, and those without images.
    """

    kind: Kind
    root: Path
    normal: list[str]
    train: Files
    test: Files
    masks: Path | None = None
    with_mask: int = 0
    products: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The layout in words."""
        if self.kind == "table":
            return "a table of images"
        if self.products:
            return f"{len(self.products)} products; this is {one_line(self.products[0])}"
        if self.kind == "folder":
            return "folders of classes" if self.normal else "one folder of images, all normal"
        return "train and test folders"


def layout_of(root: Path, normal: str | None = None) -> Layout:
    """The layout of a folder, or of a table.

    Args:
        root: the folder or file.
        normal: the normal class; by default it is known by its name, such as ``good``.

    Raises:
        UserError: it has none that is known, or the normal class is not clear.
    """
    if root.is_file():
        if root.suffix.lower() not in TABLES:
            raise UserError(f"{root}: is a file, but no CSV or Parquet file; {EXPECTED}")
        return _table(root, normal)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    names = _folders(root)
    if "train" in names and "test" in names:
        return _split(root, normal)
    products = [name for name in names if {"train", "test"} <= set(_folders(root / name))]
    if products:
        first = _split(root / products[0], normal)
        return Layout(**{**vars(first), "products": products})
    classes = {name: find_images(root / name) for name in names if name.lower() not in MASKS}
    classes = {name: files for name, files in classes.items() if files}
    if not classes:
        files = find_images(root)
        if not files:
            raise UserError(f"{root}: no images here; {EXPECTED}")
        return Layout("folder", root, [], {root.resolve().name: files}, {})
    chosen = _normal(root, list(classes), normal)
    train = {chosen: classes.pop(chosen)}
    masks, count = _masks(root, root, classes)
    excluded = sorted(set(names) - {chosen, *classes})
    return Layout("folder", root, [chosen], train, classes, masks, count, excluded=excluded)


def _split(root: Path, normal: str | None) -> Layout:
    train = {name: find_images(root / "train" / name) for name in _folders(root / "train")}
    test = {name: find_images(root / "test" / name) for name in _folders(root / "test")}
    train, test = ({name: of for name, of in each.items() if of} for each in (train, test))
    if not train or not test:
        empty = "test" if train else "train"
        raise UserError(f"{root / empty}: no folders of classes with images; {EXPECTED}")
    chosen = _normal(root / "train", list(train), normal) if len(train) > 1 else min(train)
    if chosen not in test:
        raise UserError(f"{root / 'test'}: no folder '{chosen}'; normal images to test with")
    odd = {name: files for name, files in test.items() if name != chosen}
    masks, count = _masks(root, root / "test", odd)
    kind: Kind = "parts" if masks and chosen == NORMAL[0] and len(train) == 1 else "split"
    return Layout(kind, root, [chosen], {chosen: train[chosen]}, test, masks, count)


def _table(root: Path, normal: str | None) -> Layout:
    rows = read_table(root)
    if not rows or not {"path", "label"} <= set(rows[0]):
        raise UserError(f"{root}: expected the columns path and label, and perhaps split")
    train, test = Files(), Files()
    for number, row in enumerate(rows, 2):
        if not row["path"] or not row["label"]:
            raise UserError(f"{root}:{number}: a row without path or label")
        held = (row.get("split") or "train") != "train"
        (test if held else train).setdefault(row["label"], []).append(root.parent / row["path"])
    if not train:
        raise UserError(f"{root}: no rows to train on; their split is 'train'")
    chosen = _normal(root, list(train), normal) if len(train) > 1 else min(train)
    if not test:  # without a split, a share is held out
        test = {name: files for name, files in train.items() if name != chosen}
    return Layout("table", root, [chosen], {chosen: train[chosen]}, test)


def _normal(root: Path, classes: Sequence[str], wanted: str | None) -> str:
    """The normal class among several.

    Raises:
        UserError: it is not clear, or there is no class of the name that is wanted.
    """
    shown = ", ".join(classes[:SHOWN]) + (", ..." if len(classes) > SHOWN else "")
    if wanted is not None:
        if wanted not in classes:
            raise UserError(
                f"{root}: no class '{wanted}'{did_you_mean(wanted, classes)} (classes: {shown})"
            )
        return wanted
    known = [name for name in classes if name.lower() in NORMAL]
    if len(known) == 1 or len(classes) == 1:
        return (known or list(classes))[0]
    raise UserError(f"{root}: which class is normal? Set --normal, one of: {shown}")


def _masks(root: Path, images: Path, odd: Files) -> tuple[Path | None, int]:
    """The folder of masks, if each defect has one; and the number of defects that have one."""
    for folder in (root / name for name in MASKS):
        if folder.is_dir():
            known = {path.relative_to(folder).with_suffix("") for path in find_images(folder)}
            places = [file.relative_to(images) for files in odd.values() for file in files]
            count = sum(
                not known.isdisjoint({place.with_name(f"{place.stem}_mask"), place.with_suffix("")})
                for place in places
            )
            return (folder if places and count == len(places) else None), count
    return None, 0


def _folders(root: Path) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            return sorted(e.name for e in entries if e.name[0] != "." and e.is_dir())
    except OSError as error:
        raise UserError(f"{root}: cannot be read: {error.strerror or error}") from error
