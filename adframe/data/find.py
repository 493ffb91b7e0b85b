"""Finds image files in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from adframe.io.paths import AnyPath, as_list

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"})


def find_images(paths: AnyPath | Iterable[AnyPath]) -> list[Path]:
    """Find the image files in files and folders, at any depth, sorted.

    Args:
        paths: one file or folder, or several. A file is returned with any suffix.
    """
    found: list[Path] = []
    for path in map(Path, as_list(paths)):
        if os.path.isdir(path):
            found += sorted(p for p in path.rglob("*") if _may_be_image(p))
        else:
            found.append(path)
    return found


def _may_be_image(path: Path) -> bool:
    """Whether to read a path as an image. Broken links count, so that an error names them."""
    return path.suffix.lower() in SUFFIXES and (path.is_file() or path.is_symlink())
