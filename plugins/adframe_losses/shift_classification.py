"""A classifier of the shifts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import LayerWidth, Loss, LossDims, Views


class ShiftClassification(Loss):
    """Cross-entropy of a classifier that predicts the shift of a view.

    The auxiliary task of CSI (Tack et al., NeurIPS 2020, Eq. 6) and of Table 6 of Wang et al.
    (ICCV 2023), on pooled features. As the only loss, with rotations, it is RotNet. Exposed
    outliers are excluded, since they have no shift. Scorers can use ``shift_logits``.

    Args:
        hidden: [published: none] Widths of hidden layers before the classifier, each with batch
            normalisation and ReLU.
        bias: [inferred: pytorch-cutpaste has it true, DROC's code false] Whether hidden layers have
            biases in addition to those of batch normalisation.
        linear: [inferred: DROC's code has 512] Width of one more layer between the hidden layers
            and the classifier, without normalisation and ReLU; none by default.
    """

    reads = "features"
    outputs = ("shift_logits",)
    separates_shifts = True

    def __init__(
        self,
        hidden: Sequence[LayerWidth] = (),
        bias: bool = False,
        linear: LayerWidth | None = None,
    ) -> None:
        super().__init__()
        self.hidden = list(hidden)
        self.bias = bias
        self.linear = linear

    def setup(self, dims: LossDims) -> None:
        width, layers = dims.embedding, list[nn.Module]()
        for after in self.hidden:
            layers += [nn.Linear(width, after, bias=self.bias), nn.BatchNorm1d(after), nn.ReLU()]
            width = after
        if self.linear is not None:
            layers.append(nn.Linear(width, self.linear))
            width = self.linear
        self.classifier = nn.Sequential(*layers, nn.Linear(width, dims.shifts))

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        losses = F.cross_entropy(self.classifier(embeddings), views.shift, reduction="none")
        made = views.shown().to(losses.dtype)
        return (losses * made).sum() / made.sum().clamp(min=1)

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        return {"shift_logits": self.classifier(embeddings)}
