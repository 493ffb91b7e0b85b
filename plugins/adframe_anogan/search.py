"""The search of AnoGAN: which latent code gives the image that is most like a given one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from adframe.interfaces import RandomKeys

Network = Callable[[Tensor], Tensor]


def anomaly(
    images: Tensor, made: Tensor, features: Tensor, made_features: Tensor, weight: float
) -> Tensor:
    """A(x) = (1 - weight) x residual + weight x difference of features, shape (N,).

    Args:
        images, made: (N, 3, H, W) in 0..1; an image and the one generated for it. The residual is
            the sum of absolute differences on the scale -1..1, which DCGAN has.
        features, made_features: (N, ...) of the discriminator; absolute differences are summed.
        weight: 0 for the residual only, 1 for the features only.
    """
    residual = 2 * (images - made).abs().flatten(1).sum(1)
    difference = (features - made_features).abs().flatten(1).sum(1)
    return (1 - weight) * residual + weight * difference


def search(
    images: Tensor,
    start: Tensor,
    generator: Network,
    features: Network,
    *,
    steps: int,
    rate: float,
    weight: float,
) -> Tensor:
    """Anomaly scores A(x) after a search by gradients, shape (N,).

    Each latent code moves by Adam, by its own gradient only.

    Args:
        images: (N, 3, H, W) in 0..1.
        start: (N, latent) first codes.
        generator: latent codes -> images.
        features: images -> (N, ...) features of the discriminator.
        steps: number of steps of Adam.
        rate: learning rate of Adam.
        weight: as for ``anomaly``.
    """
    wanted = features(images).detach()
    with torch.enable_grad():
        code = start.clone().requires_grad_()
        adam = torch.optim.Adam([code], lr=rate)
        for _ in range(steps):
            made = generator(code)
            total = anomaly(images, made, wanted, features(made), weight).sum()
            (code.grad,) = torch.autograd.grad(total, [code])
            adam.step()
    with torch.no_grad():
        made = generator(code)
        return anomaly(images, made, wanted, features(made), weight)


def uniform_codes(keys: RandomKeys, latent: int) -> Tensor:
    """Latent codes (N, latent), uniform between -1 and 1, one for each key."""
    return 2 * keys.uniform(latent) - 1


def in_equal_batches(
    score: Callable[[Tensor, Tensor], Tensor], images: Tensor, start: Tensor, size: int
) -> Tensor:
    """Scores (N,) of images and their first codes, computed for ``size`` rows at a time.

    The last batch is filled up with copies. Libraries compute batches of other sizes with other
    rounding. Many steps of a search amplify it so much that float64 does not help.
    """
    rows = torch.arange(-(-len(images) // size) * size, device=images.device)
    rows = rows.clamp(max=len(images) - 1)
    parts = [score(images[part], start[part]) for part in rows.view(-1, size)]
    return torch.cat(parts)[: len(images)]
