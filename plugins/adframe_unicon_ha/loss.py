"""UniCLR, the unilaterally aggregated contrastive loss."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Loss, Positive, Views
from adframe.ops import at_least_float32, by_anchors, group_contrast


class UniCLR(Loss):
    """Aggregates inliers and disperses virtual outliers (UniCon-HA, Wang et al., ICCV 2023).

    Wang et al., Eq. 4-7. All inliers are positives of each other; with labels, all inliers of one
    label. The only positives of a virtual outlier are its own other views. The denominator runs
    over all other views. The sum over views is divided by their number (Eq. 4).

    Soft aggregation (Eq. 6-7) gives an inlier view x the weight w_x: its share of the similarities
    e^(cosine/tau_w) in the pool of inlier views that are positives of each other. The weights carry
    no gradient. It has three forms:

    ``positives``: the mean over the positives of an anchor is weighted, sum w_x' log p / sum w_x'.
    This is Eq. 6 with the weights outside of the logarithm; the weight of the anchor cancels.

    ``pairwise``: like ``positives``, and inlier anchors are averaged with the weight n w_x for n
    views in the pool. So a pair counts only if both weights are large, as the text below Eq. 6
    states.

    ``printed``: Eq. 6 as printed, with the weights inside of the logarithm. This cannot be the
    intention. Inside, the weights only add a constant, but the divisor sum w_x w_x' becomes small
    for an anchor with a small weight: the *less* an anchor is trusted, the *larger* its gradient.
    Since weights are near 1/n, the loss is also about n^2 times larger than without weights.

    An anchor without a positive adds zero. Computed in float32 or better, also under autocast.

    Args:
        temperature: [published: 0.5] tau of Eq. 1, divides the cosine.
        soft_aggregation: [re-derived: pairwise] Form of the weights of inlier views. The paper uses
            soft aggregation at the last stage only.
        soft_temperature: [published: 0.5] tau_w of Eq. 7; a smaller value gives sharper weights.
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
            z = at_least_float32(embeddings)
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
_ROWS = 256  # rows per block of similarities, so that memory grows with N, not with its square


def groups(views: Views) -> Tensor:
    """Group id of each view, shape (N,), below N: views with equal ids are positives (Eq. 5).

    Inliers of one label share an id, and so do the views of one virtual outlier.
    """
    key = torch.where(views.inlier, views.label, -2 - views.instance())
    return torch.searchsorted(key.sort().values, key)


def log_shares(z: Tensor, group: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log w_x of Eq. 7 within each group, shape (N,), and the size of the group, shape (N,).

    Args:
        z: (N, D) embeddings.
        group: ids from ``groups``. The result of a group of one is not a number.
        temperature: tau_w.
    """
    count = len(z)
    size = torch.zeros_like(group).index_add_(0, group, torch.ones_like(group))[group]
    first, order = group.sort()  # the id of a group is where its rows begin in this order
    last = first + size[order]
    place = torch.arange(count, device=z.device)
    closeness = z.new_empty(count)
    closeness[order] = by_anchors(
        partial(_closeness, temperature),
        [place], [F.normalize(z)[order], first, last],
    )  # fmt: skip
    top = z.new_full((count,), -torch.inf).scatter_reduce_(0, group, closeness, "amax")[group]
    total = torch.zeros_like(top).index_add_(0, group, (closeness - top).exp())[group]
    return closeness - top - total.log(), size


def _closeness(temperature: float, own: Tensor, z: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Log of the similarities of some rows to the other rows of their group.

    Args:
        temperature: tau_w.
        own: (A,) numbers of the rows, ascending.
        z: (N, D) of unit length, group by group.
        first, last: (N,) where the group of each row begins and ends.
    """
    found = []
    place = torch.arange(len(z), device=z.device)
    for rows in torch.split(own, _ROWS):
        # On other devices, reading where groups end would block.
        near = slice(int(first[rows[0]]), int(last[rows[-1]])) if z.is_cpu else slice(None)
        # Logarithms, since e^(1 / tau_w) overflows float32 from tau_w = 0.01 on.
        logits = z[rows] @ z[near].T / temperature
        other = first[rows, None] != first[near]
        itself = rows[:, None] == place[near]
        found.append(logits.masked_fill_(other | itself, -torch.inf).logsumexp(1))
    return torch.cat(found)
