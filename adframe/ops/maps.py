"""Maps of pixels from the scores of places in an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def spread_scores(
    scores: Tensor,
    rows: Sequence[float],
    columns: Sequence[float],
    size: Sequence[int],
    sigma: float,
) -> Tensor:
    """Spreads scores of places over the pixels around them, shape (N, H, W).

    A pixel gets the mean of the scores, weighted by a Gaussian of the distance from the pixel to
    the centre of each place. So equal scores give an even map, up to the border. FCDD (Liznerski et
    al., ICLR 2021) and CutPaste (Li et al., CVPR 2021) sum the Gaussians without dividing by the
    weights.

    Args:
        scores: (N, rows, columns) floating point.
        rows, columns: centre of each row and column of places, in pixels; the first pixel has its
            centre at 0.5.
        size: height and width of the maps, H and W.
        sigma: standard deviation of the Gaussian in pixels.

    Example:
        >>> spread_scores(torch.ones(1, 2, 2), [4, 12], [4, 12], (16, 16), sigma=4.0).shape
        torch.Size([1, 16, 16])
    """
    down, across = (
        _weights(centres, length, sigma).to(scores)
        for centres, length in zip((rows, columns), size, strict=True)
    )
    return down @ scores @ across.T


def centres(count: int, length: int) -> list[float]:
    """Centres of ``count`` equal parts of a side of ``length`` pixels, in pixels."""
    return [(index + 0.5) * length / count for index in range(count)]


def _weights(centres: Sequence[float], length: int, sigma: float) -> Tensor:
    """Weights of the places for each pixel, shape (length, places); each row sums to 1."""
    pixels = torch.arange(length, dtype=torch.float64) + 0.5
    distance = pixels[:, None] - torch.tensor(list(centres), dtype=torch.float64)
    return (-(distance.square()) / (2 * sigma**2)).softmax(1)
