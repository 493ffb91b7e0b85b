"""Images that are not all in memory, and batches and subsets of images."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

BLOCK = 64 << 20  # bytes of pixels in one chunk
DIGEST = 16  # bytes of the digest of an image


class LazyImages(ABC):
    """Images (N, 3, H, W) uint8 that are not all in memory.

    They have ``len``, ``shape``, ``dtype`` and ``ndim`` like a tensor. Selecting some of them
    (``pixels[:32]``, ``pixels[7]``, ``pixels[rows]``, ``index_select``) returns a tensor.

    Attributes:
        digests: what ``image_digests`` returns of them, if it is known already.
    """

    dtype = torch.uint8
    ndim = 4
    shape: torch.Size
    digests: np.ndarray | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> Tensor:
        rows = torch.arange(len(self))[index]
        picked = self.index_select(0, rows.flatten())
        return picked if rows.ndim else picked[0]

    @abstractmethod
    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Reads some images, shape (len(rows), 3, H, W), uint8; ``dim`` must be 0."""

    @abstractmethod
    def subset(self, rows: Tensor) -> LazyImages:
        """Selects images without reading them."""

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields the images of each item of ``order``, which is a tensor of rows."""
        return (self.index_select(0, rows) for rows in order)


Pixels = Tensor | LazyImages


class ImageSubset(LazyImages):
    """A subset of the rows of a tensor without a copy; the tensor may be a mapped file."""

    def __init__(self, of: Tensor, rows: Tensor) -> None:
        self._of, self._rows = of, rows
        self.shape = torch.Size([len(rows), *of.shape[1:]])

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Copies these rows."""
        return self._of.index_select(dim, self._rows[rows])

    def subset(self, rows: Tensor) -> ImageSubset:
        """Selects some of these rows, without a copy."""
        return ImageSubset(self._of, self._rows[rows])


def subset(pixels: Pixels, rows: Tensor) -> LazyImages:
    """Selects some images, without a copy."""
    return pixels.subset(rows) if isinstance(pixels, LazyImages) else ImageSubset(pixels, rows)


def iter_batches(pixels: Pixels, order: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yields a batch of pixels for each item of ``order``, which is a tensor of rows."""
    if isinstance(pixels, LazyImages):
        return pixels.batches(order)
    return (pixels.index_select(0, rows) for rows in order)


def iter_chunks(pixels: Pixels, rows: int | None = None) -> Iterator[Tensor]:
    """Yields all pixels in order, ``rows`` images at a time; 64 MiB by default."""
    rows = rows or max(1, BLOCK // pixels.shape[1:].numel())
    return iter_batches(pixels, torch.split(torch.arange(len(pixels)), rows))


def image_digests(pixels: Pixels) -> np.ndarray:
    """Digest of the pixels of each image, shape (N,), BLAKE2b of 16 bytes, as NumPy's ``S16``.

    Pixels are read once, one chunk at a time; those of ``LazyImages`` not again if the digests are
    known.
    """
    if isinstance(pixels, LazyImages) and pixels.digests is not None:
        return pixels.digests
    found = bytearray()
    for block in iter_chunks(pixels):
        for image in block:
            found += digest_of(image)
    return as_digests(found)


def digest_of(image: Tensor) -> bytes:
    """Digest of the pixels of one image, (3, H, W) uint8."""
    data = image.contiguous().numpy().data
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def as_digests(content: bytes | bytearray) -> np.ndarray:
    """Digests one after the other, as an array. NumPy compares all 16 bytes of ``S16``."""
    return np.frombuffer(bytes(content), dtype=f"S{DIGEST}")


def sha256(digests: np.ndarray) -> str:
    """SHA-256 of the digests of images, in order: it stands for all their pixels."""
    return hashlib.sha256(digests.tobytes()).hexdigest()


def to_device(device: torch.device, tensor: Tensor) -> Tensor:
    """Copies a CPU tensor to a device, to CUDA without blocking, from pinned memory."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
