"""Contrastive losses that compare instances, or classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import Loss, Positive, Views


class SimCLR(Loss):
    """NT-Xent: an image's views attract each other, all else repels (Chen et al., ICML 2020).

    Every image under every shift is an instance of its own, as in CSI (Tack et al., NeurIPS 2020,
    Eq. 5) and in the baseline of Table 6 of Wang et al. (ICCV 2023). The mean over views of
    -log p of their positives, the denominator over all other views; Eq. 1 of the paper for two.

    Args:
        temperature: [published: 0.5] tau, divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        instance = views.instance()
        return _mean_log_p(embeddings, instance[:, None] == instance, self.temperature)


class SupCLR(Loss):
    """Supervised contrastive loss: views of one class attract each other (Khosla et al., 2020).

    A class under a shift is a class of its own, as in the labelled form of CSI (Tack et al.,
    NeurIPS 2020, section 2.4). What has no label is an instance of its own.

    Args:
        temperature: [inferred: CSI's code] tau, divides the cosine.
    """

    def __init__(self, temperature: Positive = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        instance, labelled = views.instance(), views.label >= 0
        same_class = (views.label[:, None] == views.label) & (views.shift[:, None] == views.shift)
        same = torch.where(labelled[:, None] & labelled, same_class, instance[:, None] == instance)
        return _mean_log_p(embeddings, same, self.temperature)


def _mean_log_p(embeddings: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Mean over rows of -mean log p over the row's positives, in float32 at least."""
    with torch.autocast(embeddings.device.type, enabled=False):
        z = F.normalize(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        logits = z @ z.T / temperature
        log_p = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
        positive = (same & ~itself).to(z.dtype)
        return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1)).mean()
