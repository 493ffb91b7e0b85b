"""The fast training step has the gradient of the plain one.

Fast: each view set no deeper than its stage, similarities in tiles, augmentation a few images at a
time. Plain: every view set through the whole network, all pairs at once, the batch at once. Values
of the loss would prove little: near initialisation embeddings are almost parallel.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import adframe
from adframe.interfaces import Batch, LossTerm, Method, MethodParts, RandomKeys


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adframe.ops.contrastive.TILE", (8, 16))


def method() -> Method:
    torch.manual_seed(0)
    schedule = adframe.build("schedule", "hierarchical")
    single = schedule.augmentation
    schedule.augmentation = lambda *args, **options: single(*args, **options).double()
    last = {"name": "uniclr", "soft_aggregation": "pairwise"}
    built = adframe.build("method", "contrastive")
    built.setup(
        MethodParts(
            adframe.build("backbone", {"name": "resnet18", "width": 0.0625}),
            [adframe.build("shift", "rotation")],
            schedule,
            [
                LossTerm(lambda: adframe.build("loss", "uniclr"), [1, 2, 3], 1.0),
                LossTerm(lambda: adframe.build("loss", last), [4], 1.0),
            ],
            1,
        )
    )
    return built.double()


def gradient(of: Method, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=generator)
    keys = RandomKeys.from_index(seed, torch.arange(4))
    (update,) = of.step(Batch(pixels, torch.full((4,), -1), keys), 0.0)
    update.loss.backward()
    return torch.cat([p.grad.flatten() for p in of.parameters() if p.grad is not None])


def whole(forward: Callable[..., list[Tensor]]) -> Callable[..., list[Tensor]]:
    return lambda images, depth=None: forward(images)[:depth]


def test_the_fast_step_has_the_gradient_of_the_plain_step(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = method()
    monkeypatch.setattr(plain.backbone, "forward", whole(plain.backbone.forward))
    expected = gradient(plain)

    monkeypatch.setattr("adframe.ops.contrastive.BLOCKED_FROM", 0)
    monkeypatch.setattr("adframe_augmentations.simclr.PIXELS", 3 * 16 * 16)
    fast, other = method(), method()
    assert (gradient(fast) - expected).norm() < 1e-6 * expected.norm()
    assert (gradient(other, seed=1) - expected).norm() > 0.1 * expected.norm()
