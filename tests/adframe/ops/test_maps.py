"""Maps of pixels against explicit loops."""

import math

import pytest
import torch

from adframe.ops import centres, spread_scores


def test_spread_is_a_mean_weighted_by_a_gaussian():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(2, 3, 4, generator=generator, dtype=torch.float64)
    rows, columns, sigma = [2.0, 5.0, 9.0], [1.0, 4.0, 8.0, 11.0], 1.7
    found = spread_scores(scores, rows, columns, (10, 13), sigma)
    assert found.shape == (2, 10, 13)
    for y, x in [(0, 0), (4, 7), (9, 12)]:
        weights = [
            [math.exp(-((y + 0.5 - r) ** 2 + (x + 0.5 - c) ** 2) / (2 * sigma**2)) for c in columns]
            for r in rows
        ]
        weights = torch.tensor(weights, dtype=torch.float64)
        expected = (scores[1] * weights).sum() / weights.sum()
        assert found[1, y, x].item() == pytest.approx(expected.item(), abs=1e-12)


def test_equal_scores_give_an_even_map_even_far_from_all_places():
    found = spread_scores(torch.full((1, 2, 2), 0.7), [30, 34], [30, 34], (64, 64), sigma=1.0)
    assert torch.allclose(found, torch.tensor(0.7))


def test_centres_are_those_of_equal_parts():
    assert centres(4, 8) == [1, 3, 5, 7]
