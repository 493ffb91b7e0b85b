"""Tests of all registered scorers of one vector per image."""

import pytest
import torch
from torch import Tensor

from adframe import build
from adframe.interfaces import Scorer
from adframe_scorers.vectors import covariance, mean_rows, spread_of, thinned, unit_rows

NAMES = ["gaussian_density", "kde", "knn", "mahalanobis", "one_class_svm"]
TABLES = [{"name": name} for name in NAMES] + [
    {"name": "gaussian_density", "estimate": "ledoit_wolf"},
    {"name": "knn", "k": 5},
    {"name": "mahalanobis", "clusters": 3},
    {"name": "mahalanobis", "estimate": "ledoit_wolf"},
    {"name": "one_class_svm", "kernel": "linear"},
]


def features(count: int = 60, seed: int = 0, centre: float = 1.0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 1, 1, 8, generator=generator) + centre
    return {"features": rows, "projection": rows.flip(-1) ** 2}


@pytest.fixture(params=TABLES, ids=str)
def scorer(request: pytest.FixtureRequest, loaded: object) -> Scorer:
    built: Scorer = build("scorer", request.param, loaded)
    built.fit(features())
    return built


def test_anomalies_score_higher(scorer: Scorer) -> None:
    inliers, outliers = features(40, seed=1), features(40, seed=2, centre=-1.0)
    assert scorer.score(inliers).median() < scorer.score(outliers).median()


def test_an_images_score_does_not_depend_on_what_else_is_scored(scorer: Scorer) -> None:
    test = features(30, seed=1)["features"]
    rows = torch.tensor([29, 4, 4, 0])
    part = scorer.score({"features": test[rows]})
    whole = scorer.score({"features": test})
    torch.testing.assert_close(part, whole[rows])
    assert (whole.shape, whole.dtype) == ((30,), torch.float32)


def test_a_fitted_scorer_is_restored_from_its_state(
    scorer: Scorer, request: pytest.FixtureRequest, loaded: object
) -> None:
    restored: Scorer = build("scorer", request.node.callspec.params["scorer"], loaded)
    assert not restored.state()
    restored.restore({name: value.clone() for name, value in scorer.state().items()})
    test = features(30, seed=1)
    assert torch.equal(restored.score(test), scorer.score(test))


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_at_the_output_it_is_told_to(name: str, loaded: object) -> None:
    scorer: Scorer = build("scorer", {"name": name, "output": "projection"}, loaded)
    spec = scorer.view_spec()
    assert (spec.views, spec.apply_shifts, spec.outputs) == (1, False, ("projection",))
    scorer.fit({"projection": features()["projection"]})
    assert scorer.score({"projection": features(5, 1)["projection"]}).shape == (5,)


# --- rows -----------------------------------------------------------------------------------------


def test_unit_rows_are_of_length_one_and_mean_rows_as_they_come() -> None:
    views = torch.tensor([[[[3.0, 4.0]], [[0.0, 2.0]]]])  # one image, two views
    unit = torch.tensor([[0.6, 1.8]])
    torch.testing.assert_close(unit_rows({"features": views}), unit / unit.norm())
    torch.testing.assert_close(mean_rows({"features": views}), torch.tensor([[1.5, 3.0]]))


@pytest.mark.parametrize(("limit", "kept"), [(None, 10), (12, 10), (10, 10), (4, 4), (1, 1)])
def test_thinning_keeps_so_many_different_rows_in_order(limit: int | None, kept: int) -> None:
    rows = thinned(torch.arange(10)[:, None], limit).flatten().tolist()
    assert len(rows) == kept
    assert rows == sorted(set(rows))


def test_covariance_is_numpys_biased_one_and_scikit_learns_shrunk_one() -> None:
    import numpy as np
    from sklearn.covariance import LedoitWolf

    rows = features(20)["features"].flatten(1)
    expected = np.cov(rows.numpy().T.astype(float), bias=True)
    torch.testing.assert_close(covariance(rows, "empirical"), torch.from_numpy(expected))
    shrunk = LedoitWolf().fit(rows.double().numpy()).covariance_
    torch.testing.assert_close(covariance(rows, "ledoit_wolf"), torch.from_numpy(shrunk))


def test_what_does_not_vary_does_not_count() -> None:
    rows = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    assert ((rows + 7) / spread_of(rows)).tolist() == [[8, 0], [10, 0]]
