"""The augmentation of DROC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Augmentation, Fraction, RandomKeys
from adframe.ops import gaussian_blur, luma, to_float
from adframe_augmentations.flip import mirror
from adframe_augmentations.simclr import crop, jitter_colour

Share = Annotated[float, Interval(gt=0, le=1)]
Turns = Annotated[float, Interval(ge=0, le=0.5)]


class DROC(Augmentation):
    """Square crop, flip, colour jitter, grayscale and blur (Sohn et al., ICLR 2021).

    The side of the crop is drawn uniformly. Every image is jittered, in the order brightness,
    contrast, saturation, hue; the public code draws one order per program start. Brightness is
    added, not multiplied. The blur is a Gaussian with a standard deviation of 0.1 to 2 pixels; its
    kernel covers a tenth of the image. Strength s scales the smallest side, the ranges of the
    jitter and the probabilities of grayscale and blur linearly, from none to the values below.

    Args:
        smallest: [inferred: DROC's code, 0.5] Smallest side of the crop, as a share of the image.
        jitter: [inferred: DROC's code] Brightness (-x to x), contrast, saturation (factors 1 - x to
            1 + x) and hue (turns, -x to x).
        grayscale_probability: [inferred: DROC's code, 0.2] Share of the images that lose colour.
        blur_probability: [inferred: DROC's code, 0.5] Share of the images that are blurred.
        flip_probability: [inferred: DROC's code, 0.5] Share of the images that are mirrored.
        official_code: [inferred: DROC's code, true] Never blurs. The public code lists a blur, but
            that one returns training images unchanged.
    """

    def __init__(
        self,
        smallest: Share = 0.5,
        jitter: tuple[Fraction, Fraction, Fraction, Turns] = (0.4, 0.4, 0.4, 0.4),
        grayscale_probability: Fraction = 0.2,
        blur_probability: Fraction = 0.5,
        flip_probability: Fraction = 0.5,
        official_code: bool = False,
    ) -> None:
        self.smallest = smallest
        self.jitter = jitter
        self.grayscale_probability = grayscale_probability
        self.blur_probability = 0.0 if official_code else blur_probability
        self.flip_probability = flip_probability

    def symmetries(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {"flip_probability": mirror} if 0 < self.flip_probability < 1 else {}

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        images = to_float(images)
        side = 1 - keys.uniform() * strength * (1 - self.smallest)
        left, top = keys.uniform() * (1 - side), keys.uniform() * (1 - side)
        flip = keys.uniform() < self.flip_probability
        images = crop(images, left, top, side, side, flip)

        spread = torch.tensor(self.jitter, device=images.device) * strength
        change = (2 * keys.uniform(4) - 1) * spread
        brighter = change[:, 0, None, None, None].to(images.dtype)
        images = (images + brighter).clamp(0, 1)
        images = jitter_colour(images, change.index_fill(1, change.new_zeros(1).long(), 0))
        gray = keys.uniform() < self.grayscale_probability * strength
        images = torch.where(gray[:, None, None, None], luma(images), images)
        blurred = keys.uniform() < self.blur_probability * strength
        sigma = 0.1 + 1.9 * keys.uniform()
        if self.blur_probability and strength:
            radius, smooth = max(1, images.shape[-2] // 20), images
            for axis in (-1, -2):
                if (most := images.shape[axis] - 1) > 0:  # one pixel cannot be blurred
                    smooth = gaussian_blur(smooth, sigma, min(radius, most), [axis])
            images = torch.where(blurred[:, None, None, None], smooth, images)
        return images
