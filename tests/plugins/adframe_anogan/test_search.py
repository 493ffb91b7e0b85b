"""The search against one written with loops, one image at a time."""

import pytest
import torch
from torch import Tensor

from adframe.interfaces import RandomKeys
from adframe_anogan.search import anomaly, in_equal_batches, search, uniform_codes

torch.manual_seed(0)
MIX, READ = torch.randn(2, 12), torch.randn(12, 5)


def generator(codes: Tensor) -> Tensor:
    return torch.sigmoid(codes @ MIX).view(-1, 3, 2, 2)


def features(images: Tensor) -> Tensor:
    return torch.tanh(images.flatten(1) @ READ)


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(1))


def score(image: Tensor, code: Tensor, weight: float) -> Tensor:
    """A(x) of one image, summed value by value; on the scale -1..1."""
    made = generator(code[None])[0]
    residual = sum(
        abs((2 * a - 1) - (2 * b - 1)) for a, b in zip(image.flatten(), made.flatten(), strict=True)
    )
    both = zip(features(image[None])[0], features(made[None])[0], strict=True)
    return (1 - weight) * residual + weight * sum(abs(a - b) for a, b in both)


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_the_anomaly_score_is_the_weighted_sum(weight: float) -> None:
    x, codes = images(), torch.linspace(-1, 1, 8).view(4, 2)
    made = generator(codes)
    found = anomaly(x, made, features(x), features(made), weight)
    for image, code, value in zip(x, codes, found, strict=True):
        torch.testing.assert_close(value, score(image, code, weight))


def test_each_code_moves_as_by_adam_written_out() -> None:
    x, start, rate, weight = images(2), torch.tensor([[0.3, -0.2], [0.9, 0.5]]), 0.1, 0.3
    found = search(x, start, generator, features, steps=5, rate=rate, weight=weight)
    for image, first, value in zip(x, start, found, strict=True):
        code, mean, square = first.double(), 0.0, 0.0
        for step in range(1, 6):
            code = code.float().requires_grad_()
            (pull,) = torch.autograd.grad(score(image, code, weight), [code])
            pull = pull.double()
            mean = 0.9 * mean + 0.1 * pull
            square = 0.999 * square + 0.001 * pull**2
            root = (square / (1 - 0.999**step)).sqrt() + 1e-8
            code = code.detach().double() - rate * mean / (1 - 0.9**step) / root
        torch.testing.assert_close(value, score(image, code.float(), weight), rtol=1e-4, atol=1e-5)
    without = search(x, start, generator, features, steps=0, rate=rate, weight=weight)
    assert (found < without).all()


def test_batches_are_equally_large() -> None:
    sizes: list[int] = []

    def sums(x: Tensor, codes: Tensor) -> Tensor:
        sizes.append(len(x))
        return x.flatten(1).sum(1) + codes.sum(1)

    for count in (1, 3, 4, 6):
        x, codes = images(count), torch.rand(count, 2)
        found = in_equal_batches(sums, x, codes, 3)
        torch.testing.assert_close(found, x.flatten(1).sum(1) + codes.sum(1))
    assert sizes == [3] * 6


def test_codes_are_uniform_and_belong_to_the_key() -> None:
    codes = uniform_codes(RandomKeys.from_index(0, torch.arange(2000)), 3)
    assert -1 <= codes.min() < -0.99
    assert 0.99 < codes.max() <= 1
    assert abs(codes.mean()) < 0.03
    alone = uniform_codes(RandomKeys.from_index(0, torch.tensor([7])), 3)
    assert torch.equal(alone[0], codes[7])
