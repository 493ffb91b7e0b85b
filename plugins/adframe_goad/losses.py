"""The losses of GOAD."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.interfaces import Loss, NonNegative, Views
from adframe.ops import at_least_float32


class TripletCentre(Loss):
    """Triplet-centre loss over shifts (He et al., CVPR 2018; Bergman & Hoshen, ICLR 2020).

    It pulls each view closer to the centre of its shift than to any other centre, by a margin:
    the mean of max(0, |z - c_t|^2 + margin - min |z - c_t'|^2). The centres are the means of the
    batch and carry gradient. Exposed outliers are excluded, since they have no shift. A batch with
    one shift gives zero.

    Args:
        margin: [inferred: GOAD's README: 0.1] Margin of the squared distances.
        official_code: [inferred: GOAD's code has it true] Trains with frozen batch normalisation
            from the second epoch on. GOAD's public code calls ``train()`` once, before the first
            epoch, and ``eval()`` at the end of each epoch.
    """

    reads = "features"
    separates_shifts = True

    def __init__(self, margin: NonNegative = 0.1, official_code: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.official_code = official_code  # read by the plugin's hook

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        made = views.shown()
        z, shift = at_least_float32(embeddings[made]), views.shift[made]
        if len(z) == 0:
            return embeddings.sum() * 0
        present, own = torch.unique(shift, return_inverse=True)
        count = torch.bincount(own, minlength=len(present))
        sums = z.new_zeros(len(present), z.shape[1]).index_add(0, own, z)
        distance = squared_distances(z, sums / count[:, None])  # (N, shifts of the batch)
        is_own = torch.zeros_like(distance, dtype=torch.bool).scatter(1, own[:, None], True)
        nearest_other = distance.masked_fill(is_own, torch.inf).amin(1)
        return (distance[is_own] + self.margin - nearest_other).clamp(min=0).mean()


class SquaredFeatures(Loss):
    """Mean of the squared features, which keeps them small. GOAD gives it the weight 10."""

    reads = "features"

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        return at_least_float32(embeddings).square().mean()


def squared_distances(z: Tensor, centres: Tensor) -> Tensor:
    """Squared Euclidean distances (..., N, M) between (..., N, D) and (..., M, D)."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(z, centres, compute_mode=exact).square()
