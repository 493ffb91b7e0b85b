"""Image files that a CSV or Parquet table lists, as a data set."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Unpack

from adframe import UserError, read_table
from adframe.interfaces import Fit, Images, Splits

from .classes import Listing, Size
from .files import DecodeOptions
from .folder import HeldOut, Share

NEEDED = ("path", "label")
SPLITS = ("train", "validation", "test")


class ImageTable(HeldOut):
    """Images that a CSV or Parquet file lists, with the columns ``path`` and ``label``.

    A column ``split`` has ``train``, ``test`` or ``validation`` for each image. Without it, a share
    of each normal class is held out for testing. A decision that needs labelled anomalies takes
    them from ``validation``. A column ``mask`` has the file of the mask of a defect, or is empty.

    As an outlier set it gives its test images, or all images if there is no split.

    Args:
        table: The file, relative to the working directory. Parquet (``.parquet``) needs pyarrow.
        root: Folder that the paths in the table are relative to; by default that of the table.
        size: Side of the square that all images become, or its height and width, in the way of
            ``fit``. Without it, all images must have the same size.
        test_share: [guess: 0.3] Share of each normal class that is held out for testing if there is
            no column ``split``, drawn by the run's seed.
        fit: [inferred: as for image_folder] What becomes of an image of another shape than
            ``size``: ``squash`` stretches it, ``pad`` repeats its edge around it, and ``crop`` cuts
            out its largest central part of that shape.
    """

    def __init__(
        self,
        table: Path,
        root: Path | None = None,
        size: Size | None = None,
        test_share: Share = 0.3,
        fit: Fit = "squash",
        **options: Unpack[DecodeOptions],
    ) -> None:
        self.table = table.expanduser()
        super().__init__(root or self.table.parent, size, test_share, fit=fit, **options)
        self.set_name, self.where = self.table.stem, str(self.table)

    def files(self) -> dict[str, list[Path]]:
        return self._by_class(self._rows)

    def whole(self) -> Listing:
        return self._split("test") if self._has_splits else super().whole()

    def listings(self, seed: int) -> tuple[Listing, Listing]:
        if not self._has_splits:
            return super().listings(seed)
        return self._split("train"), self._split("test")

    def load(self, seed: int) -> Splits:
        splits = super().load(seed)
        listing = self._split("validation")
        if listing.of:
            normal = self.inliers(self._split("train").classes)
            splits.validation = self._images(listing, self._kept(listing.classes), normal, None)
        return splits

    def mask_of(self, path: Path, of: str) -> Path | None:
        mask = self._masks.get(path)
        return self.root / mask if mask else None

    def exposed(self, seed: int) -> Images:
        listing = self._split("train") if self._has_splits else super().whole()
        return self._images(listing, self._kept(listing.classes), [], self.train_limit)

    def _split(self, name: str) -> Listing:
        """Images of one split; there are none without a column ``split``."""
        rows = [row for row in self._rows if row.get("split") == name]
        return self.listed(self._by_class(rows))

    def _by_class(self, rows: Iterable[dict[str, str]]) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for row in rows:
            found.setdefault(row["label"], []).append(self.root / row["path"])
        return found

    @property
    def _has_splits(self) -> bool:
        return "split" in self._rows[0]

    @cached_property
    def _masks(self) -> dict[Path, str]:
        return {self.root / row["path"]: row.get("mask") or "" for row in self._rows}

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        rows = read_table(self.table)
        columns = [*NEEDED, *(["split"] if rows and "split" in rows[0] else [])]
        for number, row in enumerate(rows, 2):
            for column in columns:
                if not row.get(column):
                    raise UserError(f"{self.table}:{number}: expected the column {column}")
            if row.get("split", SPLITS[0]) not in SPLITS:
                known = ", ".join(SPLITS)
                raise UserError(
                    f"{self.table}:{number}: split: '{row['split']}' is none of {known}"
                )
        if not rows:
            raise UserError(f"{self.table}: no rows; expected the columns {', '.join(NEEDED)}")
        return rows
