"""Deep SVDD (Ruff et al., ICML 2018) in short; the bundled ``deep_svdd`` has the whole method."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from adframe import Add, hookimpl
from adframe.interfaces import Batch, Fraction, LayerWidth, Method, MethodParts, Update


class SmallSVDD(Method):
    """Draws the training images to the mean of their first embeddings.

    Args:
        width: [published: 128] Width of the embedding.
        soft: [published: both forms] Whether a radius is learned.
        nu: [published: 0.1] Share of the images outside of the soft boundary.
        warmup: [published: 10 of 150 epochs] Share of the run before the radius moves.
    """

    ignores = ("objective", "shifts", "schedule")
    centre: Tensor
    radius: Tensor

    def __init__(
        self, width: LayerWidth = 128, soft: bool = False, nu: Fraction = 0.1,
        warmup: Fraction = 0.0667,
    ) -> None:  # fmt: skip
        super().__init__()
        self.soft, self.nu, self.warmup, self.width = soft, nu, warmup, width
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("radius", torch.zeros(()))

    def setup(self, parts: MethodParts) -> None:
        self.backbone = parts.backbone
        self.last = nn.Linear(parts.backbone.widths[-1], self.width, bias=False)

    def begin(self, batches: Iterable[Batch]) -> None:
        found = [self.embed(batch.pixels / 255)["features"] for batch in batches]
        centre = torch.cat(found).mean(0)
        self.centre.copy_(torch.where(centre < 0, centre.clamp(max=-0.1), centre.clamp(min=0.1)))

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        excess = self.embed(batch.pixels / 255)["anomaly"]
        if not self.soft:
            yield Update(excess.mean())
            return
        yield Update(self.radius.square() + excess.clamp(min=0).mean() / self.nu)
        if progress >= self.warmup:
            distance = excess.detach() + self.radius.square()
            self.radius.copy_(distance.sqrt().quantile(1 - self.nu))

    def outputs(self) -> tuple[str, ...]:
        return ("features", "anomaly")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        z = self.last(self.backbone(images)[-1].mean((2, 3)))
        distance = (z - self.centre).square().sum(1, keepdim=True)
        return {"features": z, "anomaly": distance - self.radius.square()}


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "small_svdd", SmallSVDD)
