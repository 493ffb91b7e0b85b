"""Outliers made by mixing two images."""

from __future__ import annotations

import torch

from adframe.interfaces import Dataset, Images, Splits

from .classes import seeded_order


class Interpolated(Dataset):
    """Outliers: means of two test images of another data set.

    The ``Interp.`` column of CSI (Tack et al., NeurIPS 2020) and UniCon-HA, after Du and Mordatch
    (NeurIPS 2019). The images form a ring, in an order that is the same for all seeds. Each image
    is mixed with its neighbour, so it is used twice and never mixed with itself. CSI's public code
    leaves the first hundred images unmixed, so 1 % of its outliers are inliers; here none is.

    As the data set of a run it gives the inliers of ``of``, with their mixtures as outliers.

    Args:
        of: The data set whose test images are mixed. Under ``outliers`` this is usually the data
            set of the run.
    """

    def __init__(self, of: Dataset) -> None:
        self.of = of
        self.depth, self.fit, self.region = of.depth, of.fit, of.region
        self.draft = of.draft

    def load(self, seed: int) -> Splits:
        splits = self.of.load(seed)
        plain = splits.test.subset((~splits.test.outlier).nonzero().flatten())
        mixed = mixtures(plain)
        both = Images(
            torch.cat([plain.pixels[:], mixed.pixels[:]]),
            torch.cat([plain.label, mixed.label]),
            torch.cat([plain.outlier, mixed.outlier]),
            [*plain.names, *mixed.names],
        )
        return Splits(splits.train, both, splits.classes)

    def outliers(self, seed: int) -> Images:
        return mixtures(self.of.outliers(seed))


def mixtures(images: Images) -> Images:
    """Means of two images each, as many as there are images. Halves are rounded up.

    Raises:
        ValueError: there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError(f"of: the data set has {len(images)} test image(s); at least 2 are needed")
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
