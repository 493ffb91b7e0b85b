"""Mixtures of two images of a data set."""

from __future__ import annotations

import torch

from adframe.interfaces import Dataset, Images, Splits

from .classes import seeded_order


class Interpolated(Dataset):
    """The mean of two test images, for every test image of another data set.

    The ``Interp.`` column of CSI (Tack et al., NeurIPS 2020) and UniCon-HA, after Du and Mordatch
    (NeurIPS 2019). The images stand in one ring, in an order that is the same for every seed, and
    each is mixed with its neighbour: no image with itself, each image twice. CSI's public code
    leaves the first hundred unmixed, so that 1 % of its outliers are inliers; none is here.

    As the data set of a run it gives ``of``'s inliers, and their mixtures as the outliers.

    Args:
        of: The data set whose test images are mixed; under ``outliers``, usually that of the run.
    """

    def __init__(self, of: Dataset) -> None:
        self.of = of

    def load(self, seed: int) -> Splits:
        splits = self.of.load(seed)
        test = splits.test
        inliers = torch.nonzero(~test.outlier).flatten().tolist()
        plain = Images(
            test.pixels[inliers],
            test.label[inliers],
            test.outlier[inliers],
            [test.names[row] for row in inliers],
        )
        mixed = mixtures(plain)
        both = Images(
            torch.cat([plain.pixels, mixed.pixels]),
            torch.cat([plain.label, mixed.label]),
            torch.cat([plain.outlier, mixed.outlier]),
            [*plain.names, *mixed.names],
        )
        return Splits(splits.train, both, splits.classes)

    def outliers(self, seed: int) -> Images:
        return mixtures(self.of.outliers(seed))


def mixtures(images: Images) -> Images:
    """As many means of two images as there are images; halves are rounded up.

    Raises:
        ValueError: there is but one image.
    """
    if len(images) < 2:
        raise ValueError(f"{len(images)} test image(s) of the data set to mix; 2 are needed")
    ring = seeded_order(len(images), seed=0)
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    first, second = torch.tensor(pairs).T
    one, other = images.pixels[first], images.pixels[second]
    return Images(
        (one | other) - ((one ^ other) >> 1),  # their mean, rounded up, within eight bits
        torch.full((len(images),), -1),
        torch.ones(len(images), dtype=torch.bool),
        [f"{images.names[i]} + {images.names[j]}" for i, j in pairs],
    )
