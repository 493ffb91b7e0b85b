"""SimCLR's augmentation, for whole batches: crop, flip, colour jitter, grayscale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, TypedDict

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Augmentation, Fraction, Positive, RandomKeys
from adframe.ops import luma, to_float

from .flip import mirror

Share = Annotated[float, Interval(gt=0, le=1)]
Turns = Annotated[float, Interval(ge=0, le=0.5)]
TRIES = 10  # boxes that are drawn for a crop, as many as torchvision draws
PIXELS = 1 << 15  # pixels per block on a CPU; measured: docs/performance/notes.md


class CropJitterOptions(TypedDict, total=False):
    """Types of the options of ``SimCLR`` but for the flip, for its subclasses."""

    scale: tuple[Share, Share]
    ratio: tuple[Positive, Positive]
    jitter: tuple[Fraction, Fraction, Fraction, Turns]
    jitter_probability: Fraction
    grayscale_probability: Fraction


class SimCLR(Augmentation):
    """Random resized crop, horizontal flip, colour jitter and grayscale (Chen et al., ICML 2020).

    Strength s scales four things linearly, from none (s = 0: a flip only) to the values below
    (s = 1): the smallest area of the crop, the range of its aspect ratio, the factors of the
    colour jitter, and the probability of grayscale. The linear form is our guess: UniCon-HA's
    T_1..T_4 (section 4.1) are defined in a supplement that is not available.

    The crop is torchvision's, drawn for all images at once: of ten boxes of whole pixels the first
    that fits into the image; if none does, the largest in the middle with an allowed ratio.

    The order of the jitter is always brightness, contrast, saturation, hue. torchvision's
    transform draws the order per batch; here the result of an image does not depend on its batch.

    Args:
        scale: [inferred: CSI's code] Smallest and largest area of the crop, as a share of the
            image.
        ratio: [inferred: CSI's code] Smallest and largest width over height of the crop, drawn
            log-uniformly; on an image that is not square, in units of the image's own ratio.
        jitter: [inferred: CSI's code] Brightness, contrast, saturation (factors 1 - x to 1 + x)
            and hue (turns, -x to x).
        jitter_probability: [inferred: CSI's code] Share of the images that are jittered.
        grayscale_probability: [inferred: CSI's code] Share of the images that lose colour.
        flip_probability: [inferred: CSI's code] Share of the images that are mirrored.

    Raises:
        ValueError: the first value of a range is above the second.
    """

    def __init__(
        self,
        scale: tuple[Share, Share] = (0.08, 1.0),
        ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3),
        jitter: tuple[Fraction, Fraction, Fraction, Turns] = (0.4, 0.4, 0.4, 0.1),
        jitter_probability: Fraction = 0.8,
        grayscale_probability: Fraction = 0.2,
        flip_probability: Fraction = 0.5,
    ) -> None:
        self.scale = scale
        self.ratio = ratio
        self.jitter = jitter
        self.jitter_probability = jitter_probability
        self.grayscale_probability = grayscale_probability
        self.flip_probability = flip_probability
        for name, (low, high) in {"scale": scale, "ratio": ratio}.items():
            if low > high:
                raise ValueError(f"{name} must rise: its first value {low} is above {high}")

    def symmetries(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {"flip_probability": mirror} if 0 < self.flip_probability < 1 else {}

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        left, top, width, height = self._boxes(images, keys, strength)
        flip = keys.uniform() < self.flip_probability

        # Python scalars, since copying a tensor of the four to the device would block.
        spread = [amount * strength for amount in self.jitter]
        signed = (2 * keys.uniform(4) - 1).unbind(1)
        factors = torch.stack([s * most for s, most in zip(signed, spread, strict=True)], dim=1)
        factors = factors * (keys.uniform() < self.jitter_probability)[:, None]
        jittered = self.jitter_probability and any(self.jitter) and strength
        gray = keys.uniform() < self.grayscale_probability * strength
        grayed = self.grayscale_probability and strength

        def augment(rows: slice) -> Tensor:
            views = to_float(images[rows])
            box = (left[rows], top[rows], width[rows], height[rows])
            views = crop(views, *box, flip[rows])
            if jittered:
                views = jitter_colour(views, factors[rows])
            if grayed:
                views.lerp_(luma(views), gray[rows, None, None, None].to(views.dtype))
            return views

        return torch.cat([augment(rows) for rows in blocks(images)])

    def _boxes(
        self, images: Tensor, keys: RandomKeys, strength: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Left, top, width and height of the crops, as shares of the image, each (N,)."""
        rows, columns = images.shape[-2:]
        low, high = self.scale
        # At strength 0 the crop is the largest allowed, not the whole image, so that a fixed scale
        # (as at test time) stays fixed at every strength.
        draws = keys.uniform(2, TRIES)
        area = high - draws[:, 0] * (strength * (high - low))
        logs = [math.log(value) * strength for value in self.ratio]
        ratio = (logs[0] + draws[:, 1] * (logs[1] - logs[0])).exp()
        width = ((area * ratio).sqrt() * columns).round()  # (N, TRIES)
        height = ((area / ratio).sqrt() * rows).round()
        fits = (width > 0) & (width <= columns) & (height > 0) & (height <= rows)
        first, found = fits.byte().argmax(1, keepdim=True), fits.any(1)
        # If no box fits: the largest one in the middle with an allowed ratio.
        widest, tallest = columns * math.exp(logs[1]), rows * math.exp(-logs[0])
        width = torch.where(found, width.gather(1, first)[:, 0], min(columns, round(widest)))
        height = torch.where(found, height.gather(1, first)[:, 0], min(rows, round(tallest)))
        across, down = columns - width, rows - height
        place = keys.uniform(2)
        left = torch.where(found, place[:, 0] * (across + 1), across / 2).floor()
        top = torch.where(found, place[:, 1] * (down + 1), down / 2).floor()
        return left / columns, top / rows, width / columns, height / rows


def blocks(images: Tensor) -> list[slice]:
    """Slices of rows to augment at a time: on a CPU few enough to stay in the cache."""
    if torch.compiler.is_exporting():  # a graph does not know the number of rows
        return [slice(None)]
    size = images.shape[-2] * images.shape[-1]
    rows = max(1, PIXELS // size if images.is_cpu else len(images))
    return [slice(start, start + rows) for start in range(0, max(1, len(images)), rows)]


def crop(
    images: Tensor, left: Tensor, top: Tensor, width: Tensor, height: Tensor, flip: Tensor
) -> Tensor:
    """Crops a box out of each image, resizes it to the image's size (bilinear), mirrors some.

    For a box of whole pixels this equals torchvision's ``resized_crop(antialias=False)``: samples
    never reach pixels outside of the box.

    Args:
        images: (N, 3, H, W) floating point.
        left, top, width, height: (N,) the boxes, as shares of the image, 0..1.
        flip: (N,) bool, which images are mirrored.
    """
    x = _samples(left, width, images.shape[-1])
    x = torch.where(flip[:, None], x.flip(1), x)
    y = _samples(top, height, images.shape[-2])
    size = x.shape[1], y.shape[1]
    grid = torch.stack(
        [x[:, None, :].expand(-1, size[1], -1), y[:, :, None].expand(-1, -1, size[0])], dim=-1
    )
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def _samples(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Sampling positions along one axis in grid_sample's range -1..1, shape (N, size)."""
    centres = (torch.arange(size, device=start.device) + 0.5) / size
    half = 0.5 / size
    positions = start[:, None] + centres * length[:, None]
    inside = positions.maximum(start[:, None] + half).minimum((start + length)[:, None] - half)
    return inside * 2 - 1


def jitter_colour(images: Tensor, factors: Tensor) -> Tensor:
    """Changes brightness, contrast, saturation and hue of each image, in this order.

    Args:
        images: (N, 3, H, W) floating point in 0..1.
        factors: (N, 4). The first three are added to a factor of 1; hue is in turns. Zeros leave
            an image as it is, up to rounding.
    """
    brightness, contrast, saturation, hue = (
        column[:, None, None, None] for column in factors.to(images.dtype).unbind(1)
    )
    images = (images * (1 + brightness)).clamp_(0, 1)
    mean = luma(images.mean(dim=(2, 3), keepdim=True))
    images.mul_(1 + contrast).sub_(mean.mul_(contrast)).clamp_(0, 1)
    gray = luma(images)
    images.mul_(1 + saturation).sub_(gray.mul_(saturation)).clamp_(0, 1)
    return turn_hue(images, hue)


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Rotates the hue in HSV space by ``turns`` (N, 1, 1, 1). Value and saturation stay."""
    red, green, blue = images.unbind(1)
    # Comparisons give numbers, not masks: `where` and `remainder` take ten times as long as
    # arithmetic on a CPU. Sorts green and blue first, then the larger of both and red.
    swapped = torch.lt(green, blue, out=torch.empty_like(red))
    upper, lower = torch.maximum(green, blue), torch.minimum(green, blue)
    led = torch.lt(red, upper, out=torch.empty_like(red))
    value, middle = torch.maximum(red, upper), torch.minimum(red, upper)
    low = torch.minimum(middle, lower)
    chroma = value.sub_(low)
    # Hue in sixths of a turn: distance of the middle colour from a primary colour, up to a sign.
    primary = (swapped * 12).sub_(2).mul_(led).sub_(swapped, alpha=6)
    tiny = torch.finfo(images.dtype).tiny  # gray pixels have no hue
    hue = middle.sub_(lower).div_(chroma.clamp(min=tiny)).add_(primary).abs_()
    hue = hue.div_(6).add_(turns[:, 0])
    hue.sub_(hue.floor()).mul_(6)
    out = torch.empty_like(images)
    # A channel is 1 within a sixth of a turn of its hue, and 0 from two sixths on.
    for channel, (centre, sign, offset) in enumerate([(3, 1, -1), (2, -1, 2), (4, -1, 2)]):
        share = torch.sub(hue, centre).abs_().mul_(sign).add_(offset).clamp_(0, 1)
        torch.addcmul(low, chroma, share, out=out[:, channel])
    return out
