"""Tests of the contract, and of each term of the published formula."""

import math
from itertools import combinations

import pytest
import torch
from uniformity import plugin
from uniformity.sphere import AlignUniform, GaussianPotential

from adframe.interfaces import Views
from adframe.testing import cases


@pytest.mark.parametrize("case", cases(plugin), ids=str)
def test_contract(case):
    case()


def test_the_loss_is_the_papers():
    generator = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(12, 5, generator=generator))
    source, shift = torch.arange(3).repeat(4), torch.tensor([0, 0, 0, 1, 1, 1]).repeat(2)
    views = Views(source, shift, torch.full((12,), -1), shift == 0)
    near, far = [], []
    for i, j in combinations(range(12), 2):
        squared = float(((z[i] - z[j]) ** 2).sum())
        same = source[i] == source[j] and shift[i] == shift[j]
        (near if same else far).append(squared)
    uniform = math.log(sum(math.exp(-3 * d) for d in far) / len(far))
    expected = 0.7 * sum(near) / len(near) + uniform
    assert AlignUniform(alignment=0.7, sharpness=3.0)(z, views).item() == pytest.approx(expected)


def test_the_score_is_the_potential_of_the_training_images():
    bank, scorer = torch.eye(3).view(3, 1, 1, 3), GaussianPotential(sharpness=2.0)
    scorer.fit({"features": bank})
    expected = -math.log((1 + 2 * math.exp(-4)) / 3)
    assert scorer.score({"features": 5 * bank}).tolist() == pytest.approx([expected] * 3)
