"""The bootstrap of AUROC: equal to scikit-learn on explicit resamples, and right in simulation."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from adframe.engine import bootstrap

PART = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


def oracle(inliers, outliers):
    truth = np.repeat([0, 1], [len(inliers), len(outliers)])
    return roc_auc_score(truth, np.concatenate([inliers, outliers]))


def simulated(noise, true, count):
    """Scores of inliers and outliers of two normal distributions with a known AUROC."""
    shift = 2**0.5 * NormalDist().inv_cdf(true)
    return {"inliers": noise.normal(size=count), "odd": noise.normal(shift, size=count)}


@given(PART, PART)
def test_auroc_is_that_of_scikit_learn_also_with_ties(inliers, outliers):
    inliers, outliers = np.array(inliers, float), np.array(outliers, float)
    assert bootstrap.auroc(inliers, outliers) == pytest.approx(oracle(inliers, outliers), abs=1e-12)


@pytest.mark.parametrize("cells", [1, 100, 1 << 21])  # in blocks of 1, 5 and all resamples
def test_resamples_are_scored_as_scikit_learn_scores_their_images(cells, monkeypatch):
    monkeypatch.setattr(bootstrap, "CELLS", cells)
    noise = np.random.default_rng(0)
    sizes = {"inliers": 20, "near": 7, "far": 13}
    runs = [
        {name: noise.integers(9, size=size) + float(name == "far") for name, size in sizes.items()}
        for _ in range(3)
    ]  # with ties
    drawn = {
        name: np.random.default_rng((4, at)).integers(size, size=(9, size))
        for at, (name, size) in enumerate(sizes.items())
    }
    found = bootstrap.resampled(runs, samples=9, seed=4)
    assert list(found) == ["near", "far"]
    for name, aurocs in found.items():
        assert aurocs.shape == (3, 9)
        for run, scores in enumerate(runs):
            for sample in range(9):
                inliers = scores["inliers"][drawn["inliers"][sample]]
                outliers = scores[name][drawn[name][sample]]
                expected = oracle(inliers, outliers)
                assert aurocs[run, sample] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("inliers", "outliers"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_what_has_no_auroc_is_refused(inliers, outliers):
    with pytest.raises(ValueError, match="expected finite scores"):
        bootstrap.auroc(np.array(inliers), np.array(outliers))


@pytest.mark.parametrize(("true", "count"), [(0.7, 40), (0.9, 100), (0.95, 200)])
def test_the_interval_covers_the_true_auroc_at_its_level(true, count):
    trials, covered = 400, 0
    for trial in range(trials):
        scores = simulated(np.random.default_rng((trial, count)), true, count)
        value = bootstrap.auroc(scores["inliers"], scores["odd"])
        (resamples,) = bootstrap.resampled([scores], samples=400, seed=trial)["odd"]
        low, high = bootstrap.interval(value, resamples, count)
        assert low <= value <= high
        covered += low <= true <= high
    low, high = binom.interval(0.999, trials, bootstrap.LEVEL)
    assert low <= covered <= high


@pytest.mark.parametrize(("gain", "paired"), [(0.0, 0.8), (0.3, 0.8), (0.3, 0.0)])
def test_the_interval_of_a_difference_covers_the_true_difference(gain, paired):
    """Of two scores that have a part of their noise in common."""
    trials, count, covered, significant = 400, 100, 0, 0
    normal = NormalDist()
    true = normal.cdf((1 + gain) / 2**0.5) - normal.cdf(1 / 2**0.5)
    for trial in range(trials):
        noise = np.random.default_rng((trial, 7))
        sets = []
        for shift in (0.0, 1.0):
            common, first, second = noise.normal(size=(3, count))
            own = [paired**0.5 * common + (1 - paired) ** 0.5 * part for part in (first, second)]
            sets.append((shift + own[0], shift * (1 + gain) + own[1]))
        runs = [{"inliers": sets[0][run], "odd": sets[1][run]} for run in (0, 1)]
        resamples = bootstrap.resampled(runs, samples=400, seed=trial)["odd"]
        (low, high), p = bootstrap.difference(resamples[1] - resamples[0])
        covered += low <= true <= high
        significant += p < 1 - bootstrap.LEVEL
    low, high = binom.interval(0.999, trials, bootstrap.LEVEL)
    assert low <= covered <= high
    if not gain:  # as often as chance allows
        low, high = binom.interval(0.999, trials, 1 - bootstrap.LEVEL)
        assert low <= significant <= high


def test_a_score_does_not_differ_from_itself_nor_from_one_in_the_same_order():
    scores = simulated(np.random.default_rng(0), 0.8, 50)
    same = {name: np.exp(of) for name, of in scores.items()}
    resamples = bootstrap.resampled([scores, scores, same], samples=100)["odd"]
    for other in resamples[1:]:
        assert np.array_equal(other - resamples[0], np.zeros(100))
        assert bootstrap.difference(other - resamples[0]) == ((0.0, 0.0), 1.0)


def test_where_no_resample_has_an_error_the_interval_is_the_rule_of_three():
    assert bootstrap.interval(1.0, np.ones(10), 30) == (0.9, 1.0)
    assert bootstrap.interval(0.0, np.zeros(10), 30) == (0.0, 0.1)
    assert bootstrap.interval(1.0, np.ones(10), 2) == (0.0, 1.0)


@pytest.mark.parametrize(("value", "deviation"), [(0.5, 0.1), (0.97, 0.02), (0.02, 0.02)])
def test_the_interval_is_symmetric_in_the_log_odds(value, deviation):
    resamples = value + deviation * np.array([-1.0, 1.0])
    low, high = bootstrap.interval(value, resamples, 30)
    odds = [np.log(p / (1 - p)) for p in (low, value, high)]
    assert 0 < low < value < high < 1
    assert odds[1] - odds[0] == pytest.approx(odds[2] - odds[1])
    expected = 1.959964 * deviation / (value * (1 - value))
    assert odds[2] - odds[1] == pytest.approx(expected, rel=1e-6)


def test_a_p_value_is_twice_the_share_beyond_zero():
    differences = np.concatenate([np.full(5, -0.1), np.full(95, 0.1)])
    assert bootstrap.difference(differences)[1] == pytest.approx(2 * 6 / 101)
    assert bootstrap.difference(-differences)[1] == pytest.approx(2 * 6 / 101)
    assert bootstrap.difference(np.full(100, 0.1))[1] == pytest.approx(2 / 101)
