"""CIFAR-10 from its official files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from adframe import UserError
from adframe.interfaces import Count, Dataset, Images, Splits

from .classes import as_images, normal_classes


class CIFAR10(Dataset):
    """CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32, ten classes.

    One-class with ``normal: automobile``: that class is trained on, and the other nine are the
    test split's outliers. Without ``normal`` all ten are inliers, and ``outliers`` must name other
    data sets.

    Args:
        root: Folder that holds, or gets, ``cifar-10-batches-py``. Relative to where the command
            runs.
        normal: The class or classes that are normal; all by default.
        labelled: Whether inliers keep their class as a label (the labelled multi-class setting).
        download: Fetch the official archive (170 MB) where the files are missing.
        train_limit: Most training images of a class, the first in the files' order.
        test_limit: Most test images of a class, the first in the files' order.
    """

    def __init__(
        self,
        root: Path,
        normal: str | Sequence[str] | None = None,
        labelled: bool = False,
        download: bool = False,
        train_limit: Count | None = None,
        test_limit: Count | None = None,
    ) -> None:
        self.root = root.expanduser()
        self.normal = normal
        self.labelled = labelled
        self.download = download
        self.train_limit = train_limit
        self.test_limit = test_limit

    def load(self, seed: int) -> Splits:
        train, test = self._official(train=True), self._official(train=False)
        normal = normal_classes(self.normal, train.classes, "CIFAR-10")
        return Splits(
            self._images(train, normal, self.train_limit, normal),
            self._images(test, train.classes, self.test_limit, normal),
            normal if self.labelled else ["inlier"],
        )

    def _official(self, train: bool) -> Any:
        from torchvision.datasets import CIFAR10 as Official  # noqa: N811

        return official(
            lambda: Official(str(self.root), train=train, download=self.download),
            self.root,
            self.download,
        )

    def _images(
        self, data: Any, classes: list[str], limit: int | None, normal: list[str]
    ) -> Images:
        targets = torch.tensor(data.targets)
        wanted = [torch.nonzero(targets == data.class_to_idx[name])[:limit, 0] for name in classes]
        rows = torch.cat(wanted)
        pixels = torch.from_numpy(data.data[rows.numpy()]).permute(0, 3, 1, 2).contiguous()
        of = [data.classes[int(targets[row])] for row in rows]
        split = "train" if data.train else "test"
        names = [f"{split}/{row}" for row in rows.tolist()]
        return as_images(pixels, of, names, normal, self.labelled)


def official(make: Callable[[], Any], root: Path, download: bool) -> Any:
    """A torchvision data set, with one clear line where its files cannot be had.

    Raises:
        UserError: files missing and no download asked for, the download failed, or they are
            damaged.
    """
    try:
        return make()
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        if not download:
            raise UserError(f"{root}: {reason.rstrip('.')}; set download: true to fetch") from error
        raise UserError(f"{root}: the download failed: {reason}") from error
