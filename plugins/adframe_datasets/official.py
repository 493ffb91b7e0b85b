"""Data sets that torchvision can read and fetch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from adframe import UserError
from adframe.interfaces import Count

from .classes import Classed, Names


class Official(Classed):
    """A data set read, and fetched where asked for, by torchvision.

    Args:
        download: Fetch the official archives where the files are missing.
    """

    source: ClassVar[str]  #: name of torchvision's class

    def __init__(
        self,
        root: Path,
        normal: Names = None,
        labelled: bool = False,
        without: Names = None,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, normal, labelled, without, train_limit, test_limit)
        self.download = download

    def official(self, **options: Any) -> Any:
        """Torchvision's data set below ``root``, one split of it."""
        return fetched(self.source, self.title, self.root, download=self.download, **options)


def fetched(source: str, title: str, root: Path, *, download: bool, **options: Any) -> Any:
    """What torchvision calls ``source``, read from below ``root``.

    Raises:
        UserError: files missing and no download asked for, the download failed, or they are
            damaged; one clear line.
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
        told = f"{root}: {title}: {reason}; set download: true to fetch it"
        raise UserError(told) from error


@contextmanager
def _nothing_left_behind(root: Path) -> Iterator[None]:
    """Where what is inside fails, takes away the empty folders it made, ``root`` among them."""
    there = set(root.iterdir()) if root.is_dir() else set()
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        new = [path for path in root.glob("*") if path not in there]
        below = [inner for path in new for inner in path.rglob("*")]
        for path in [*sorted(below, reverse=True), *new, *missing]:  # what is deeper goes first
            with suppress(OSError):  # a file, or a folder that is not empty
                path.rmdir()
        raise
