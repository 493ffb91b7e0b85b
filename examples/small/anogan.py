"""AnoGAN (Schlegl et al., IPMI 2017) in short: two networks, and a scorer that searches in them.

The bundled ``anogan`` has the whole method.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe import Add, hookimpl
from adframe.interfaces import (
    Batch,
    Count,
    Features,
    Fraction,
    LayerWidth,
    Method,
    MethodParts,
    Positive,
    Scorer,
    Update,
    ViewSpec,
)


def generator(latent: int, width: int, side: int) -> nn.Sequential:
    """From (N, latent) codes to (N, 3, side, side) images in 0..1."""
    first = nn.Linear(latent, 4 * width * (side // 4) ** 2)
    layers: list[nn.Module] = [first, nn.Unflatten(1, (4 * width, side // 4, side // 4))]
    for before, after in ((4 * width, 2 * width), (2 * width, 3)):
        layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
    return nn.Sequential(*layers, nn.Sigmoid())


class SmallAnoGAN(Method):
    """A generator and a discriminator, trained in turn.

    Args:
        latent: [published: 100] Length of a code.
        width: [guess: 32] Channels of the generator before its last layer, halved.
    """

    ignores = ("objective", "shifts", "schedule")

    def __init__(self, latent: LayerWidth = 100, width: Count = 32) -> None:
        super().__init__()
        self.latent, self.width = latent, width

    def setup(self, parts: MethodParts) -> None:
        self.backbone = parts.backbone
        self.last = nn.Linear(parts.backbone.widths[-1], 1)
        self.generator = generator(self.latent, self.width, (parts.image_size or (32, 32))[0])

    def groups(self) -> dict[str, list[nn.Parameter]]:
        judges = [*self.backbone.parameters(), *self.last.parameters()]
        return {"discriminator": judges, "generator": list(self.generator.parameters())}

    def is_real(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.embed(images)["features"])
        return logits

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        fake = self.generator(batch.keys.normal(self.latent))
        real, made = self.is_real(batch.pixels / 255), self.is_real(fake.detach())
        yield Update((F.softplus(-real) + F.softplus(made)).mean(), "discriminator")
        yield Update(F.softplus(-self.is_real(fake)).mean(), "generator")

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": self.backbone(images)[-1].mean((2, 3))}


class LatentSearch(Scorer):
    """How far an image is from the nearest generated one, by a search of the code.

    Args:
        steps: [published: 500] Steps of the search.
        rate: [guess: 0.05] Learning rate of Adam in the search.
        weight: [published: 0.1] Weight of the features of the discriminator.
    """

    needs_method = SmallAnoGAN

    def __init__(self, steps: Count = 500, rate: Positive = 0.05, weight: Fraction = 0.1) -> None:
        self.steps, self.rate, self.weight = steps, rate, weight

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=("residual",), compute=self.search)

    def search(self, method: SmallAnoGAN, images: Tensor) -> Mapping[str, Tensor]:
        code = images.new_zeros(len(images), method.latent).requires_grad_()
        adam = torch.optim.Adam([code], self.rate)
        for _ in range(self.steps):
            (code.grad,) = torch.autograd.grad(self.residual(method, images, code).sum(), [code])
            adam.step()
        return {"residual": self.residual(method, images, code).detach()}

    def residual(self, method: SmallAnoGAN, images: Tensor, code: Tensor) -> Tensor:
        made: Tensor = method.generator(code)
        seen, wanted = (method.embed(of)["features"] for of in (made, images))
        pixels = (images - made).abs().flatten(1).sum(1, keepdim=True)
        return (1 - self.weight) * pixels + self.weight * (wanted - seen).abs().sum(1, keepdim=True)

    def score(self, features: Features) -> Tensor:
        return features["residual"].float().mean((1, 2, 3))


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "small_anogan", SmallAnoGAN)
    add("scorer", "latent_search", LatentSearch)
