"""Image metrics against explicit loops."""

from __future__ import annotations

import pytest
import torch

from adframe.interfaces import Scored
from adframe_metrics.images import FPR, AveragePrecision, BestF1


def sets(ties: bool) -> tuple[Scored, Scored]:
    generator = torch.Generator().manual_seed(3)
    good, bad = torch.randn(40, generator=generator), 1 + torch.randn(25, generator=generator)
    return tuple(Scored((values * 2).round() if ties else values) for values in (good, bad))


def thresholds(good: Scored, bad: Scored) -> list[float]:
    return sorted({*good.scores.tolist(), *bad.scores.tolist()}, reverse=True)


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_sums_precision_over_recall(ties: bool) -> None:
    good, bad = sets(ties)
    expected = recall = 0.0
    for threshold in thresholds(good, bad):
        true, false = (int((each.scores >= threshold).sum()) for each in (bad, good))
        expected += (true / 25 - recall) * true / (true + false)
        recall = true / 25
    assert AveragePrecision().value(good, bad) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_best_f1_and_fpr_look_at_every_threshold(ties: bool) -> None:
    good, bad = sets(ties)
    best, rate = 0.0, None
    for threshold in thresholds(good, bad):
        true, false = (int((each.scores >= threshold).sum()) for each in (bad, good))
        best = max(best, 2 * true / (true + false + 25))
        if rate is None and true >= 0.9 * 25:
            rate = false / 40
    assert BestF1().value(good, bad) == pytest.approx(best, abs=1e-9)
    assert FPR(0.9).value(good, bad) == pytest.approx(rate, abs=1e-12)
