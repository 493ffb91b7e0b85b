"""A classifier of the shifts."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import LayerWidth, Loss, LossDims, Views

Depth = Annotated[int, Interval(ge=0, le=64)]


class ShiftClassification(Loss):
    """Cross-entropy of a classifier that predicts the shift of a view.

    The auxiliary task of CSI (Tack et al., NeurIPS 2020, Eq. 6) and of Table 6 of Wang et al.
    (ICCV 2023), on pooled features. As the only loss, with rotations, it is RotNet. Exposed
    outliers are excluded, since they have no shift. Scorers can use ``shift_logits``.

    Args:
        depth: [published: 0] Number of hidden layers before the linear layer, each with batch
            normalisation and ReLU; DROC has 8.
        hidden: [published: 512] Width of the hidden layers.
    """

    reads = "features"
    outputs = ("shift_logits",)
    separates_shifts = True

    def __init__(self, depth: Depth = 0, hidden: LayerWidth = 512) -> None:
        super().__init__()
        self.depth = depth
        self.hidden = hidden

    def setup(self, dims: LossDims) -> None:
        widths = [dims.embedding, *[self.hidden] * self.depth]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        self.classifier = nn.Sequential(*layers, nn.Linear(widths[-1], dims.shifts))

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        losses = F.cross_entropy(self.classifier(embeddings), views.shift, reduction="none")
        made = views.shown().to(losses.dtype)
        return (losses * made).sum() / made.sum().clamp(min=1)

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        return {"shift_logits": self.classifier(embeddings)}
