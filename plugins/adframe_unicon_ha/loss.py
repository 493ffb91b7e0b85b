"""UniCLR, the unilaterally aggregated contrastive loss of UniCon-HA."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe import group_contrast
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
            z = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
            return self._loss(z, groups(views), views.inlier)

    def _loss(self, z: Tensor, group: Tensor, inlier: Tensor) -> Tensor:
        if self.soft_aggregation == "none":
            return group_contrast(z, group, self.temperature).mean()
        log_w, size = log_shares(z.detach(), group, self.soft_temperature)
        inlier = inlier & (size > 1)
        log_w = torch.where(inlier, log_w, 0)
        w = log_w.exp()
        if self.soft_aggregation == "printed":
            plain = (size - 1) * group_contrast(z, group, self.temperature)
            sum_of_logs = torch.zeros_like(w).index_add_(0, group, log_w)[group]
            inside = plain - sum_of_logs - (size - 2) * log_w  # log w_x w_x' over the other x'
            divisor = torch.where(inlier, w * (1 - w), size - 1).clamp(min=_TINY)
            return (inside / divisor).mean()
        per_view = group_contrast(z, group, self.temperature, w)
        if self.soft_aggregation == "pairwise":
            per_view = per_view * torch.where(inlier, size * w, 1)
        return per_view.mean()


_TINY = 1e-30
_ROWS = 256  # of a block of similarities, so that memory grows with N and not with its square


def groups(views: Views) -> Tensor:
    """(N,) numbers below N, equal for views that Eq. 5 pulls together: inliers of one label, and
    the views of one virtual outlier.
    """
    key = torch.where(views.inlier, views.label, -2 - views.instance())
    return torch.searchsorted(key.sort().values, key)


def log_shares(z: Tensor, group: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """(N,) log w_x of Eq. 7 with each group as the pool, and (N,) the size of the group.

    Args:
        z: (N, D) embeddings.
        group: from ``groups``. Of a group of one there is no share: not a number.
        temperature: tau_w.
    """
    count = len(z)
    size = torch.zeros_like(group).index_add_(0, group, torch.ones_like(group))[group]
    first, order = group.sort()  # a group's number is where its rows begin in this order
    last = first + size[order]
    place = torch.arange(count, device=z.device)
    z = F.normalize(z)[order]
    closeness = z.new_empty(count)
    for start in range(0, count, _ROWS):
        rows = slice(start, start + _ROWS)
        # Elsewhere, asking the device where groups end would wait for it.
        near = slice(int(first[rows][0]), int(last[rows][-1])) if z.is_cpu else slice(None)
        # In logarithms: e^(1 / tau_w) overflows float32 from tau_w = 0.01 on.
        logits = z[rows] @ z[near].T / temperature
        other = first[rows, None] != first[near]
        itself = place[rows, None] == place[near]
        closeness[order[rows]] = logits.masked_fill_(other | itself, -torch.inf).logsumexp(1)
    top = z.new_full((count,), -torch.inf).scatter_reduce_(0, group, closeness, "amax")[group]
    total = torch.zeros_like(top).index_add_(0, group, (closeness - top).exp())[group]
    return closeness - top - total.log(), size
