"""A loss that changes over the run."""

from torch import Tensor

from adframe import Add, hookimpl
from adframe.interfaces import Fraction, Loss, LossDims, Views


class WarmUp(Loss):
    """Another loss, whose weight rises from zero in the first part of the run.

    Args:
        of: The loss.
        until: [guess: 0.5] Progress of the run from which on the weight is 1.
    """

    def __init__(self, of: Loss, until: Fraction = 0.5) -> None:
        super().__init__()
        self.of, self.until = of, until
        self.reads, self.outputs, self.separates_shifts = (
            of.reads, of.outputs, of.separates_shifts,
        )  # fmt: skip

    def setup(self, dims: LossDims) -> None:
        self.of.setup(dims)

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        weight = min(1.0, views.progress / self.until) if self.until else 1.0
        value: Tensor = self.of(embeddings, views)
        return weight * value

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        return self.of.predict(embeddings)


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "warm_up", WarmUp)
