"""Data sets that torchvision reads and downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from adframe import UserError

from .classes import Classed


class FromTorchvision(Classed):
    """A data set that torchvision reads.

    Args:
        download: Whether to download the official archives if files are missing.
    """

    source: ClassVar[str]  #: name of torchvision's class
    download: bool

    def official(self, **options: Any) -> Any:
        """One split of torchvision's data set in ``root``."""
        return fetched(self.source, self.title, self.root, download=self.download, **options)


def fetched(source: str, title: str, root: Path, *, download: bool, **options: Any) -> Any:
    """Torchvision's data set ``source``, read from ``root``.

    Raises:
        UserError: files are missing or damaged, or the download failed; one clear line.
    """
    from torchvision import datasets

    try:
        with _nothing_left_behind(root):
            return getattr(datasets, source)(str(root), download=download, **options)
    except FileNotFoundError as error:
        missing = error.filename or error
        raise UserError(f"{root}: {title} is incomplete: no {missing}") from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". You can ")[0].rstrip(".")
        if download:
            raise UserError(f"{root}: {title}: the download failed: {reason}") from error
        missing = f"{root}: {title}: {reason}; set download: true to fetch it"
        raise UserError(missing) from error


@contextmanager
def _nothing_left_behind(root: Path) -> Iterator[None]:
    """Removes empty folders created by a failed block, including ``root``."""
    there = set(root.iterdir()) if root.is_dir() else set()
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        new = [path for path in root.glob("*") if path not in there]
        below = [inner for path in new for inner in path.rglob("*")]
        for path in [*sorted(below, reverse=True), *new, *missing]:  # deeper ones first
            with suppress(OSError):  # a file, or a folder that is not empty
                path.rmdir()
        raise
