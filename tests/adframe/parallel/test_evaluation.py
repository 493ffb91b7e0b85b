"""Ranks that share fitting and scoring find what one process finds, to the byte."""

import pytest
import torch

from adframe.engine import features
from adframe.engine.evaluate import evaluate, share_evaluation
from adframe.engine.runner import prepare
from adframe.parallel.exchange import gathered, messages
from adframe.parallel.world import ALONE
from adframe.testing.ranks import on_ranks

SCORERS = "scorer=[{name: nearest_cosine, views: 2}, {name: gaussian_density}, {name: patchcore}]"


@pytest.fixture(autouse=True)
def _small_passes(monkeypatch):
    monkeypatch.setattr(features, "MAX_ROWS_PER_PASS", 8)


def evaluated(config, world):
    """Scores, failures and validation figures, as one process of a run has them."""
    run = prepare(config, None, new=True)
    run.world = world
    figures = run.validate() if run.validation else {}
    if not world.main:
        share_evaluation(run)
        return figures
    report = evaluate(run)
    scores = {name: of.scores for name, of in report.outcomes.items()}
    ranges = {name: of.map_range for name, of in report.outcomes.items()}
    return figures, scores, ranges, report.failed


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_find_what_one_process_finds(toy, size):
    config = toy(SCORERS, "validation={share: 0.3, anomalies: rotation}")
    figures, scores, ranges, failed = evaluated(config, ALONE)
    assert failed == {}
    assert len(scores) == 3
    assert any(ranges.values())
    assert figures
    (also, found, *rest), *others = on_ranks(size, lambda world: evaluated(config, world))
    assert rest == [ranges, failed]
    assert all(each == figures for each in (also, *others))
    for name, sets in scores.items():
        for title, values in sets.items():
            assert torch.equal(found[name][title], values), name


def test_a_scorer_that_fails_in_one_rank_fails_in_all(toy, monkeypatch):
    config, calls = toy(), []
    scorer = type(prepare(config, None).assembly.scorers[0])
    score = scorer.score

    def fails_once(self, features):
        calls.append(0)
        if len(calls) == 2:  # in the second rank, which has these few images
            raise RuntimeError("no luck")
        return score(self, features)

    monkeypatch.setattr(scorer, "score", fails_once)
    (_, _, _, failed), _ = on_ranks(2, lambda world: evaluated(config, world))
    assert "no luck" in failed["nearest_cosine"]


def test_rows_and_values_of_ranks_with_other_numbers_of_them_are_joined():
    def sent(world):
        own = {"few": torch.full((world.rank, 2), world.rank)}
        if world.rank == 1:
            own["one"] = torch.ones(1, dtype=torch.float64)
        return *gathered(world, own, {"rank": world.rank}), messages(world, "x" * world.rank)

    for whole, facts, texts in on_ranks(3, sent):
        assert whole["few"].tolist() == [[1, 1], [2, 2], [2, 2]]
        assert whole["one"].dtype == torch.float64
        assert facts == [{"rank": 0}, {"rank": 1}, {"rank": 2}]
        assert texts == ["", "x", "xx"]
