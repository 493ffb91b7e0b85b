"""Finds the mask of an image in a folder of masks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from adframe import UserError, find_images


class MaskFolder:
    """Masks in the same folders as their images: ``<stem>_mask.png`` or ``<stem>.png``.

    Args:
        root: the folder; every image format will do.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def _files(self) -> dict[Path, Path]:
        """Each mask by its place in the folder, without its suffix."""
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder of masks")
        return {
            path.relative_to(self.root).with_suffix(""): path for path in find_images(self.root)
        }

    def of(self, image: Path, place: Path) -> Path:
        """The mask of an image.

        Args:
            image: the image, for the message.
            place: where it lies in its own folder.

        Raises:
            UserError: there is none.
        """
        names = f"{place.stem}_mask", place.stem
        found = [self._files.get(place.parent / name) for name in names]
        mask = found[0] or found[1]
        if mask is None:
            raise UserError(f"{self.root / place.parent / names[0]}.png: no such mask, of {image}")
        return mask
