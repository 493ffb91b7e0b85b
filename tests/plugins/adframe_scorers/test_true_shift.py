import math

import pytest
import torch

from adframe_scorers.true_shift import TrueShift


@pytest.mark.parametrize("views", [1, 2])
def test_it_is_minus_the_sum_of_the_true_shifts_probabilities(views: int) -> None:
    logits = torch.randn(3, views, 4, 4, generator=torch.Generator().manual_seed(0))
    scores = TrueShift().score({"shift_logits": logits})
    for image in range(3):
        total = 0.0
        for view in range(views):
            for shift in range(4):
                row = [math.exp(value) for value in logits[image, view, shift].tolist()]
                total += row[shift] / sum(row)
        assert float(scores[image]) == pytest.approx(-total / views, abs=1e-5)


def test_probabilities_of_several_heads_are_taken_as_they_are() -> None:
    probability = torch.rand(3, 1, 6, 6)
    scores = TrueShift("head_probability").score({"head_probability": probability})
    expected = [-sum(float(probability[i, 0, t, t]) for t in range(6)) for i in range(3)]
    torch.testing.assert_close(scores, torch.tensor(expected))


def test_an_image_whose_shifts_are_not_told_is_more_anomalous() -> None:
    sure, unsure = torch.eye(4) * 9, torch.zeros(4, 4)
    scores = TrueShift().score({"shift_logits": torch.stack([sure, unsure])[:, None]})
    assert scores[1] > scores[0]
