"""The training images nearest to an image, by a scorer that compares with each of them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adframe.engine.features import MIN_BATCH, extract_features
from adframe.errors import UserError
from adframe.interfaces import Method, Scorer, Shift
from adframe.registry.registry import name_of


def nearest(
    scorer: Scorer,
    method: Method,
    shifts: Sequence[Shift],
    pixels: Tensor,
    seed: int,
    names: Sequence[str],
    k: int,
) -> list[tuple[str, float]]:
    """Name and distance of the k training images nearest to one image, nearest first.

    Args:
        scorer: a fitted scorer.
        method: the trained method.
        shifts: the shifting transformations of the run.
        pixels: (1, 3, H, W) uint8.
        seed: the seed of the run.
        names: those of the training images.
        k: number of images; all where there are fewer.

    Raises:
        UserError: there is not one image, or the scorer does not compare with single images.
    """
    if len(pixels) != 1:
        raise UserError(f"expected one image, not {len(pixels)}")
    alone = pixels.expand(MIN_BATCH, *pixels.shape[1:])
    (features, *_) = extract_features(method, shifts, alone, scorer.view_spec(), seed)
    found = scorer.distances(features)
    if found is None or found.shape[1] != len(names):
        name = name_of(scorer)
        raise UserError(f"{name} does not compare with single images, or has no names of them")
    distance, index = found[0].topk(min(k, len(names)), largest=False)
    pairs = zip(index.tolist(), distance.tolist(), strict=True)
    return [(names[number], away) for number, away in pairs]
