"""Random numbers that belong to an image, not to a batch.

Every draw is a function of a 64-bit key and a counter (SplitMix64), computed with integer
arithmetic that is the same on every device. So an image gets the same augmentation whatever else
is in its batch, in which order and on which device, and a resumed run draws what an uninterrupted
one does, with no generator state to save.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

_STEP = -7046029254386353131  # 0x9E3779B97F4A7C15, the golden ratio in 64 bits, as a signed number
_MIX = (-4658895280553007687, -7723592293110705685)  # Stafford's variant 13, as SplitMix64 has it


def _mix(state: Tensor) -> Tensor:
    """SplitMix64's finaliser over int64, where multiplication wraps and ``>>`` keeps the sign."""
    state = (state ^ ((state >> 30) & 0x3FFFFFFFF)) * _MIX[0]
    state = (state ^ ((state >> 27) & 0x1FFFFFFFFF)) * _MIX[1]
    return state ^ ((state >> 31) & 0x1FFFFFFFF)


def seed_of(*parts: int | str) -> int:
    """One signed 64-bit number from several: ``seed_of(run_seed, "epoch", 3)``."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class RandomKeys:
    """Random keys for N images, each from its own key.

    Args:
        values: (N,) int64, one key an image; equal keys give equal numbers.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._count = 0

    @classmethod
    def from_index(cls, seed: int, index: Tensor) -> RandomKeys:
        """Keys from a seed and (N,) integer indices, as for the images of a data set."""
        return cls(_mix(_mix(index.to(torch.int64) * _STEP + seed) + _STEP))

    @classmethod
    def from_images(cls, seed: int, images: Tensor) -> RandomKeys:
        """Keys from the content of images: equal images get equal keys, in any batch.

        Args:
            seed: what else decides the keys.
            images: (N, ...) of an integer or floating-point dtype.
        """
        flat = images.flatten(1)
        values = flat.float().view(torch.int32) if flat.is_floating_point() else flat
        generator = torch.Generator().manual_seed(flat.shape[1])
        factors = torch.randint(-(2**62), 2**62, (flat.shape[1],), generator=generator)
        return cls.from_index(seed, (values.to(torch.int64) * factors.to(flat.device)).sum(1))

    def __len__(self) -> int:
        return len(self.values)

    def fold_in(self, tag: int) -> RandomKeys:
        """Independent keys for the same images, as for the second of two views."""
        return RandomKeys(_mix((self.values ^ seed_of("fork", tag)) + _STEP))

    def repeat(self, times: int) -> RandomKeys:
        """RandomKeys for N * times rows, the images in order and then again; each row its own."""
        return RandomKeys(torch.cat([self.fold_in(-1 - copy).values for copy in range(times)]))

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) float32, uniform in [0, 1)."""
        width = math.prod(shape)
        counter = torch.arange(self._count + 1, self._count + width + 1, device=self.values.device)
        self._count += width
        bits = _mix(self.values[:, None] + counter * _STEP)
        # 24 bits are all a float32 below one can hold.
        return ((bits >> 40) & 0xFFFFFF).float().mul_(2.0**-24).view(len(self.values), *shape)

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) float32, standard normal, by the Box-Muller transform."""
        radius, angle = self.uniform(*shape), self.uniform(*shape)
        return (-2 * torch.log1p(-radius)).sqrt() * torch.cos(2 * math.pi * angle)
