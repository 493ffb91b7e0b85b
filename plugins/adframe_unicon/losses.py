"""UniCLR, the unilaterally aggregated contrastive loss of UniCon-HA."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Loss, Positive, Views


class UniCLR(Loss):
    """Aggregates inliers, disperses virtual outliers (Wang et al., ICCV 2023, Eq. 4-7).

    Inliers are positives of each other (with labels: those of one label), every virtual outlier
    only of its own other view; the denominator runs over all other views. The sum over views is
    divided by their number (Eq. 4).

    Soft aggregation (Eq. 6-7) weighs an inlier view x by w_x, its share of the similarities
    e^(cosine/tau_w) among the inlier views it is a positive of (itself included in that pool, but
    not in its own sum). The weights carry no gradient. Three forms:

    ``positives``: the mean over an anchor's positives is weighed, sum w_x' log p / sum w_x', as
    Eq. 6 with the weights outside the logarithm; the anchor's own weight cancels.

    ``pairwise``: ``positives``, and inlier anchors are averaged with n w_x (n views in the pool),
    so that a pair counts only if both weights are large, as the text below Eq. 6 says.

    ``printed``: Eq. 6 as typeset, weights inside the logarithm. This cannot be meant: inside,
    they only add a constant, while the divisor, sum w_x w_x', shrinks with the anchor's weight, so
    that the *less* an anchor is trusted the *larger* its gradient; and as weights are near 1/n it
    makes the loss about n^2 times larger than without soft aggregation.

    An anchor without a positive adds nothing. Computed in float32 at least, also under autocast.

    Args:
        temperature: [published: 0.5] tau of Eq. 1, divides the cosine.
        soft_aggregation: [re-derived: pairwise] How inlier views are weighed; the paper uses soft
            aggregation at the last stage only.
        soft_temperature: [published: 0.5] tau_w of Eq. 7; smaller weighs more sharply.
    """

    def __init__(
        self,
        temperature: Positive = 0.5,
        soft_aggregation: Literal["none", "positives", "pairwise", "printed"] = "none",
        soft_temperature: Positive = 0.5,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.soft_aggregation = soft_aggregation
        self.soft_temperature = soft_temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return self._loss(embeddings, views)

    def _loss(self, embeddings: Tensor, views: Views) -> Tensor:
        precise = torch.promote_types(embeddings.dtype, torch.float32)
        z = F.normalize(embeddings.to(precise))
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        positive = positives(views) & ~itself  # (N, N)
        cosine = z @ z.T
        logits = cosine / self.temperature
        log_p = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)

        weight = positive.to(precise)
        if self.soft_aggregation == "none":
            per_view = _mean(log_p, weight)
        else:
            w = self._weights(cosine.detach(), positive, views.inlier)
            if self.soft_aggregation == "printed":
                pair = torch.where(views.inlier[:, None], w[:, None] * w, 1) * weight
                log_pair = torch.where(positive, pair, 1).log()
                per_view = ((log_p + log_pair) * weight).sum(1) / pair.sum(1).clamp(min=_TINY)
            else:
                per_view = _mean(log_p, weight * torch.where(views.inlier, w, 1))
                if self.soft_aggregation == "pairwise":
                    pool = positive.sum(1) + 1
                    per_view = per_view * torch.where(views.inlier, pool * w, 1)
        return -per_view.sum() / len(z)

    def _weights(self, cosine: Tensor, positive: Tensor, inlier: Tensor) -> Tensor:
        """(N,) w_x of Eq. 7 for inliers; 1 for virtual outliers."""
        # In logarithms: e^(1 / tau_w) overflows float32 from tau_w = 0.01 on.
        closeness = (cosine / self.soft_temperature).masked_fill(~positive, -torch.inf).logsumexp(1)
        pool = positive | torch.eye(len(positive), dtype=torch.bool, device=positive.device)
        total = closeness.where(pool, -torch.inf).logsumexp(1)
        return (closeness - total).exp().where(inlier & positive.any(1), 1)


_TINY = 1e-30


def positives(views: Views) -> Tensor:
    """(N, N) bool: which views Eq. 5 pulls together; a view and itself included."""
    instance = views.instance()
    inliers = views.inlier[:, None] & views.inlier
    outliers = ~views.inlier[:, None] & ~views.inlier
    same_label = views.label[:, None] == views.label
    return (inliers & same_label) | (outliers & (instance[:, None] == instance))


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """(N,) weighted means of rows, 0 for a row without weight."""
    return (values * weight).sum(1) / weight.sum(1).clamp(min=_TINY)
