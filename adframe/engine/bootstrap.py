"""AUROC on resampled images: how much of a figure is chance of the images. Needs only NumPy.

Inliers and outliers are resampled apart, each to its own number. All scores share a resample, so
that differences between them are paired. Sorting takes n log n steps and each resample n, for n
images and each score; memory does not grow with the number of resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.95  #: of all intervals
CELLS = 1 << 21  # images x resamples that are counted at once, 16 MiB each array


class Ranks:
    """Where each outlier stands among the inliers, for one score.

    Args:
        inliers: scores, shape (I,).
        outliers: scores, shape (O,); higher is more anomalous.

    Raises:
        ValueError: one of them is empty, or a score is not finite.
    """

    def __init__(self, inliers: Floats, outliers: Floats) -> None:
        both = np.concatenate([inliers, outliers])
        if not len(inliers) or not len(outliers) or not np.isfinite(both).all():
            raise ValueError("expected finite scores of inliers and outliers")
        self.order = np.argsort(inliers, kind="stable")
        self.below = np.searchsorted(inliers, outliers, "left", sorter=self.order)
        self.up_to = np.searchsorted(inliers, outliers, "right", sorter=self.order)

    def auroc(self, inlier_counts: Floats, outlier_counts: Floats) -> Floats:
        """AUROC of each of B resamples, shape (B,).

        Args:
            inlier_counts: how often each inlier is in each resample, shape (I, B).
            outlier_counts: the same of outliers, shape (O, B).
        """
        sums = np.zeros((len(inlier_counts) + 1, inlier_counts.shape[1]))
        np.cumsum(inlier_counts[self.order], axis=0, out=sums[1:])
        # Twice the number of pairs in the right order, ties once: whole numbers, so exact.
        pairs = np.einsum("ob,ob->b", outlier_counts, sums[self.below])
        pairs += np.einsum("ob,ob->b", outlier_counts, sums[self.up_to])
        aurocs: Floats = pairs / (2 * inlier_counts.sum(0) * outlier_counts.sum(0))
        return aurocs


def auroc(inliers: Floats, outliers: Floats) -> float:
    """AUROC of scores: the share of pairs in the right order, a tie as half of one.

    Raises:
        ValueError: as for ``Ranks``.
    """
    ones = np.ones((len(inliers), 1)), np.ones((len(outliers), 1))
    return float(Ranks(inliers, outliers).auroc(*ones)[0])


def resampled(
    scores: Sequence[Mapping[str, Floats]], samples: int = 2000, seed: int = 0
) -> dict[str, Floats]:
    """AUROC of several scores of the same images on the same resamples of them.

    Args:
        scores: of each score, set -> scores of its images, in one order; ``inliers`` and each set
            of outliers.
        samples: number of resamples.
        seed: decides the resamples.

    Returns:
        Set of outliers -> AUROC, shape (scores, samples).

    Raises:
        ValueError: as for ``Ranks``.
    """
    sizes = {name: len(of) for name, of in scores[0].items()}
    titles = [name for name in sizes if name != "inliers"]
    ranks = {name: [Ranks(of["inliers"], of[name]) for of in scores] for name in titles}
    found = {name: np.empty((len(scores), samples)) for name in titles}
    start = 0
    for counts in iter_counts(sizes, samples, seed):
        stop = start + counts["inliers"].shape[1]
        for name in titles:
            for row, rank in enumerate(ranks[name]):
                found[name][row, start:stop] = rank.auroc(counts["inliers"], counts[name])
        start = stop
    return found


def iter_counts(sizes: Mapping[str, int], samples: int, seed: int) -> Iterator[dict[str, Floats]]:
    """How often each image is in each resample, in blocks of resamples: set -> (N, B)."""
    block = max(1, min(samples, CELLS // max(sizes.values())))
    streams = {name: np.random.default_rng((seed, at)) for at, name in enumerate(sizes)}
    for first in range(0, samples, block):
        width = min(block, samples - first)
        yield {name: _counts(streams[name], sizes[name], width) for name in sizes}


def _counts(stream: np.random.Generator, size: int, width: int) -> Floats:
    """The next resamples of a set of images, shape (size, width)."""
    drawn = stream.integers(size, size=(width, size))
    cells = drawn * width + np.arange(width)[:, None]
    counts = np.bincount(cells.ravel(), minlength=size * width)
    return counts.reshape(size, width).astype(np.float64)


def interval(value: float, resamples: Floats, images: int) -> tuple[float, float]:
    """Interval of an AUROC, or of a mean of several, at ``LEVEL``.

    It is symmetric in the log-odds, with the deviation of the resamples: near 1 it covers better
    than their quantiles, which know of no error that the images at hand do not have. Where no
    resample has an error, it is the rule of three: at most 3 of ``images``.

    Args:
        value: on the images themselves.
        resamples: on each resample.
        images: number of inliers or of outliers, the smaller.
    """
    bound = min(1.0, 3 / images)
    if value in (0.0, 1.0):
        return (0.0, bound) if value == 0 else (1 - bound, 1.0)
    width = NormalDist().inv_cdf((1 + LEVEL) / 2) * float(resamples.std()) / (value * (1 - value))
    odds = np.log(value / (1 - value)) + np.array([-width, width])
    low, high = 1 / (1 + np.exp(-odds))
    return float(low), float(high)


def difference(resamples: Floats) -> tuple[tuple[float, float], float]:
    """Interval of a paired difference at ``LEVEL``, from quantiles, and its two-sided p-value.

    The p-value is twice the share of resamples at or beyond 0; it is never below
    2 / (resamples + 1), and it is 1 where all are 0.
    """
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resamples, [tail, 1 - tail])
    sides = (resamples <= 0).sum(), (resamples >= 0).sum()
    p = min(1.0, 2 * (int(min(sides)) + 1) / (len(resamples) + 1))
    return (float(low), float(high)), p
