"""Counter-based random numbers, keyed per image.

Every random number is a function of a 64-bit key and a counter (SplitMix64). The integer arithmetic
is the same on every device. So the augmentation of an image does not depend on the other images in
the batch, on their order or on the device. A resumed run draws the same numbers as an uninterrupted
one, and there is no generator state to save.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

_STEP = -7046029254386353131  # 0x9E3779B97F4A7C15, the golden ratio in 64 bits, as a signed number
_MIX = (-4658895280553007687, -7723592293110705685)  # Stafford's variant 13, as SplitMix64 has it


def _mix(state: Tensor) -> Tensor:
    """The finaliser of SplitMix64, over int64: multiplication wraps, ``>>`` keeps the sign."""
    state = (state ^ ((state >> 30) & 0x3FFFFFFFF)) * _MIX[0]
    state = (state ^ ((state >> 27) & 0x1FFFFFFFFF)) * _MIX[1]
    return state ^ ((state >> 31) & 0x1FFFFFFFF)


def seed_of(*parts: int | str) -> int:
    """Combines several values into a signed 64-bit seed: ``seed_of(run_seed, "epoch", 3)``."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def content_factors(length: int) -> Tensor:
    """Factors of the values of an image in ``RandomKeys.from_images``, shape (length,), int64."""
    generator = torch.Generator().manual_seed(length)
    return torch.randint(-(2**62), 2**62, (length,), generator=generator)


class RandomKeys:
    """Random keys of N images and the random numbers drawn from them.

    Each call of ``uniform`` or ``normal`` gives new numbers. Equal keys give equal numbers.

    Args:
        values: (N,) int64, one key per image.

    Example:
        >>> keys = RandomKeys.from_index(seed=0, index=torch.arange(4))
        >>> keys.uniform(2).shape
        torch.Size([4, 2])
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._count = 0

    @classmethod
    def from_index(cls, seed: int, index: Tensor) -> RandomKeys:
        """Keys from a seed and (N,) integer indices, such as those of images in a data set."""
        return cls(_mix(_mix(index.to(torch.int64) * _STEP + seed) + _STEP))

    @classmethod
    def from_images(cls, seed: int, images: Tensor) -> RandomKeys:
        """Keys from the content of images: equal images get equal keys, in any batch.

        Args:
            seed: different seeds give different keys for the same images.
            images: (N, ...) of an integer or floating-point dtype.
        """
        flat = images.flatten(1)
        values = flat.float().view(torch.int32) if flat.is_floating_point() else flat
        factors = content_factors(flat.shape[1])
        return cls.from_index(seed, (values.to(torch.int64) * factors.to(flat.device)).sum(1))

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: slice) -> RandomKeys:
        """Keys of some of the images, which draw what they would draw among all of them."""
        taken = RandomKeys(self.values[rows])
        taken._count = self._count
        return taken

    def continue_after(self, other: RandomKeys) -> None:
        """Draw next what comes after the numbers that other keys have drawn, taken from these."""
        self._count = other._count

    def fold_in(self, tag: int) -> RandomKeys:
        """Derive independent keys of the same images from a tag, as for a second view."""
        return RandomKeys(_mix((self.values ^ seed_of("fork", tag)) + _STEP))

    def repeat(self, times: int) -> RandomKeys:
        """Keys of N * times rows: all images, ``times`` times. Each row has its own key."""
        return RandomKeys(torch.cat([self.fold_in(-1 - copy).values for copy in range(times)]))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform random numbers in [0, 1), shape (N, *shape), float32."""
        width = math.prod(shape)
        counter = torch.arange(self._count + 1, self._count + width + 1, device=self.values.device)
        self._count += width
        bits = _mix(self.values[:, None] + counter * _STEP)
        # A float32 below one has 24 bits of precision.
        return ((bits >> 40) & 0xFFFFFF).float().mul_(2.0**-24).view(self.values.shape[0], *shape)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal random numbers, shape (N, *shape), float32 (Box-Muller transform)."""
        radius, angle = self.uniform(*shape), self.uniform(*shape)
        return (-2 * torch.log1p(-radius)).sqrt() * torch.cos(2 * math.pi * angle)
