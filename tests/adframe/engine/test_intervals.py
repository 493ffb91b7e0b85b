"""Intervals of figures: right on explicit resamples, and at their level in simulation."""

from math import isnan, nan

import numpy as np
import pytest
import torch
from scipy.stats import binom, binomtest

from adframe.config.sections import Decision
from adframe.engine.bootstrap import iter_counts
from adframe.engine.decision import decide
from adframe.engine.intervals import intervals, quantiles, share
from adframe.interfaces import Metric, Scored
from adframe_metrics.images import FPR, AveragePrecision, BestF1

METRICS = {"average_precision": AveragePrecision(), "best_f1": BestF1(), "fpr": FPR(0.8)}


class Costly(Metric):
    """A metric without resamples."""

    def value(self, normal, anomalous):
        return 0.5


def scored(values):
    return Scored(torch.tensor(np.asarray(values), dtype=torch.float32))


def repeated(values, counts, sample):
    return scored(np.repeat(values, counts[:, sample].astype(int)))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_on_resamples_is_its_value_on_their_images(name):
    noise = np.random.default_rng(0)
    good, bad = noise.integers(0, 6, 30) / 3, noise.integers(2, 8, 17) / 3
    (counts,) = iter_counts({"inliers": 30, "odd": 17}, 25, seed=1)
    metric = METRICS[name]
    found = metric.resampled(scored(good), scored(bad), counts["inliers"], counts["odd"])
    expected = [
        metric.value(repeated(good, counts["inliers"], b), repeated(bad, counts["odd"], b))
        for b in range(25)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_each_figure_has_an_interval_on_each_set_and_on_all_together():
    noise = np.random.default_rng(0)
    parts = {"inliers": 60, "near": 20, "far": 30, "other": 25}
    sets = {name: scored(noise.normal(i, size=n)) for i, (name, n) in enumerate(parts.items())}
    held = torch.tensor(noise.normal(size=30), dtype=torch.float32)
    decision = decide(
        {name: of.scores for name, of in sets.items()}, held, Decision(false_alarms=0.1)
    )
    metrics = {**METRICS, "costly": Costly()}
    found = intervals(sets, ["near", "far"], metrics, lambda name, part: 0.9, decision)
    every = {"near", "far", "other"}
    assert {name: set(of) for name, of in found.sets.items()} == dict.fromkeys(
        ["auroc", *METRICS], every
    )
    assert set(found.pooled) == {"auroc", *METRICS}
    for title in ("near", "far", "other"):
        low, high = found.precision[title]
        assert low <= decision.precision[title] <= high
        assert low < high
    assert found.mean[0] < 0.9 < found.mean[1]


def test_where_no_resample_differs_the_rule_of_three_holds():
    sets = {"inliers": scored([0.0] * 30), "odd": scored([1.0] * 60)}
    found = intervals(sets, ["odd"], METRICS, lambda name, part: 1.0 - (name == "fpr"))
    assert found.sets["best_f1"]["odd"] == (0.9, 1.0)
    assert found.sets["fpr"]["odd"] == (0.0, 0.1)
    assert found.pooled == {}


def test_precision_has_no_value_where_nothing_is_called_anomalous():
    scores = {"inliers": torch.zeros(9), "odd": torch.zeros(5)}
    decision = decide(scores, torch.ones(9), Decision(false_alarms=0.1))
    assert isnan(decision.precision["odd"])
    sets = {name: Scored(of) for name, of in scores.items()}
    found = intervals(sets, ["odd"], {}, lambda name, part: 0.5, decision)
    assert all(map(isnan, found.precision["odd"]))
    assert quantiles(np.array([nan, 1.0, 1.0])) == (1.0, 1.0)


@pytest.mark.parametrize(("part", "whole"), [(0, 10), (10, 10), (3, 17), (1, 400)])
def test_an_interval_of_a_share_is_scipys(part, whole):
    expected = binomtest(part, whole).proportion_ci(0.95, method="exact")
    assert share(part, whole) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("name", ["average_precision", "fpr"])
def test_intervals_cover_at_their_level_in_simulation(name):
    """Images of two normal distributions; the true figure is that of very many images."""
    noise, metric = np.random.default_rng(0), METRICS[name]
    many = scored(noise.normal(size=200_000)), scored(noise.normal(1.5, size=200_000))
    true, hits, rounds = metric.value(*many), 0, 150
    for _ in range(rounds):
        good, bad = scored(noise.normal(size=80)), scored(noise.normal(1.5, size=80))
        (counts,) = iter_counts({"inliers": 80, "odd": 80}, 300, seed=0)
        low, high = quantiles(metric.resampled(good, bad, counts["inliers"], counts["odd"]))
        hits += low <= true <= high
    assert hits >= binom.ppf(0.001, rounds, 0.95)
