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


class Draws:
    """Random draws for N images, each from its own key.

    Args:
        keys: (N,) int64, one key an image; equal keys draw equal numbers.
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys
        self._count = 0

    @classmethod
    def of(cls, seed: int, index: Tensor) -> Draws:
        """Keys from a seed and (N,) integer indices, as for the images of a data set."""
        return cls(_mix(_mix(index.to(torch.int64) * _STEP + seed) + _STEP))

    @classmethod
    def by_content(cls, seed: int, images: Tensor) -> Draws:
        """Keys from what images show: the same image draws the same in any company.

        Args:
            seed: what else decides the draws.
            images: (N, ...) of an integer or floating-point dtype.
        """
        flat = images.flatten(1)
        values = flat.float().view(torch.int32) if flat.is_floating_point() else flat
        generator = torch.Generator().manual_seed(flat.shape[1])
        factors = torch.randint(-(2**62), 2**62, (flat.shape[1],), generator=generator)
        return cls.of(seed, (values.to(torch.int64) * factors.to(flat.device)).sum(1))

    def __len__(self) -> int:
        return len(self.keys)

    def fork(self, tag: int) -> Draws:
        """Independent draws for the same images, as for the second of two views."""
        return Draws(_mix((self.keys ^ seed_of("fork", tag)) + _STEP))

    def repeat(self, times: int) -> Draws:
        """Draws for N * times rows, the images in order and then again; each row its own."""
        return Draws(torch.cat([self.fork(-1 - copy).keys for copy in range(times)]))

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) float32, uniform in [0, 1)."""
        width = math.prod(shape)
        counter = torch.arange(self._count + 1, self._count + width + 1, device=self.keys.device)
        self._count += width
        bits = _mix(self.keys[:, None] + counter * _STEP)
        # 24 bits are all a float32 below one can hold.
        return ((bits >> 40) & 0xFFFFFF).float().mul_(2.0**-24).view(len(self.keys), *shape)

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) float32, standard normal, by the Box-Muller transform."""
        radius, angle = self.uniform(*shape), self.uniform(*shape)
        return (-2 * torch.log1p(-radius)).sqrt() * torch.cos(2 * math.pi * angle)
