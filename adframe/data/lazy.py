"""Pixels of a data set, part by part: what is not in memory whole, and batches on their way."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

BLOCK = 64 << 20  # bytes of pixels that are looked at together


class LazyImages(ABC):
    """Images (N, 3, H, W) uint8 of which only the part that is asked for is in memory.

    It has a tensor's ``len``, ``shape``, ``dtype`` and ``ndim``, and what is selected from it
    (``pixels[:32]``, ``pixels[7]``, ``pixels[rows]``, ``index_select``) is a tensor.

    Attributes:
        sha256: of all the pixels, where somebody has computed it.
    """

    dtype = torch.uint8
    ndim = 4
    shape: torch.Size
    sha256: str | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> Tensor:
        rows = torch.arange(len(self))[index]
        picked = self.index_select(0, rows.flatten())
        return picked if rows.ndim else picked[0]

    @abstractmethod
    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """(len(rows), 3, H, W) uint8; ``dim`` is 0."""

    @abstractmethod
    def subset(self, rows: Tensor) -> LazyImages:
        """Some of the images, still not in memory."""

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """``index_select`` of each item of ``order``."""
        return (self.index_select(0, rows) for rows in order)


Pixels = Tensor | LazyImages


class ImageSubset(LazyImages):
    """Some rows of a tensor, not copied: the tensor may be a file that is mapped into memory."""

    def __init__(self, of: Tensor, rows: Tensor) -> None:
        self._of, self._rows = of, rows
        self.shape = torch.Size([len(rows), *of.shape[1:]])

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """A copy of these rows."""
        return self._of.index_select(dim, self._rows[rows])

    def subset(self, rows: Tensor) -> ImageSubset:
        """Some of these rows."""
        return ImageSubset(self._of, self._rows[rows])


def subset(pixels: Pixels, rows: Tensor) -> LazyImages:
    """Some of the images, without a copy of them."""
    return pixels.subset(rows) if isinstance(pixels, LazyImages) else ImageSubset(pixels, rows)


def iter_batches(pixels: Pixels, order: Sequence[Tensor]) -> Iterator[Tensor]:
    """Pixels batch by batch, as many rows at a time as each item of ``order`` names."""
    if isinstance(pixels, LazyImages):
        return pixels.batches(order)
    return (pixels.index_select(0, rows) for rows in order)


def iter_chunks(pixels: Pixels, rows: int | None = None) -> Iterator[Tensor]:
    """All pixels in order, ``rows`` at a time; by default 64 MiB."""
    rows = rows or max(1, BLOCK // pixels.shape[1:].numel())
    return iter_batches(pixels, torch.split(torch.arange(len(pixels)), rows))


def sha256(pixels: Pixels) -> str:
    """SHA-256 of pixels in order, one image after the other."""
    if isinstance(pixels, LazyImages) and pixels.sha256 is not None:
        return pixels.sha256
    digest = hashlib.sha256()
    for block in iter_chunks(pixels):
        digest.update(block.numpy().data)
    return digest.hexdigest()


def to_device(device: torch.device, tensor: Tensor) -> Tensor:
    """A tensor of the CPU on a device. CUDA copies without blocking from pinned memory only."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
