import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.preprocessing import StandardScaler, normalize
from torch import Tensor

from adframe_ssd.scorers import FewShotMahalanobis, Mahalanobis


def rows(count: int, seed: int = 0, width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator) * 2 + 1


def scores(scorer: Mahalanobis, bank: Tensor, test: Tensor) -> Tensor:
    scorer.fit({"features": bank[:, None, None]})
    return scorer.score({"features": test[:, None, None]})


def standard(bank: Tensor, test: Tensor) -> tuple[np.ndarray, np.ndarray]:
    unit = [normalize(part.double().numpy()) for part in (bank, test)]
    scaler = StandardScaler().fit(unit[0])
    return scaler.transform(unit[0]), scaler.transform(unit[1])


@pytest.mark.parametrize(
    ("estimate", "estimator"), [("empirical", EmpiricalCovariance), ("ledoit_wolf", LedoitWolf)]
)
def test_is_scikit_learns_distance_of_standardised_unit_vectors(estimate, estimator) -> None:
    bank, test = rows(80), rows(30, seed=1)
    train, seen = standard(bank, test)
    expected = torch.from_numpy(estimator().fit(train).mahalanobis(seen)).float()
    ours = scores(Mahalanobis(estimate=estimate), bank, test)
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-3)


def test_with_clusters_it_is_scipys_distance_to_the_nearest() -> None:
    bank, test = rows(90) / 4, rows(30, seed=1)
    for start, axis in ((0, 0), (30, 1), (60, 2)):
        bank[start : start + 30, axis] += 9
    train, seen = standard(bank, test)
    found = KMeans(3, n_init=10, random_state=7).fit_predict(train)
    assert sorted(np.bincount(found)) == [30, 30, 30]
    squared = []
    for index in range(3):
        members = train[found == index]
        precision = np.linalg.pinv(np.cov(members.T, bias=True))
        mean = members.mean(0, keepdims=True)
        squared.append(cdist(seen, mean, "mahalanobis", VI=precision)[:, 0] ** 2)
    expected = torch.from_numpy(np.min(squared, axis=0)).float()
    ours = scores(Mahalanobis(clusters=3), bank, test)
    torch.testing.assert_close(ours, expected, atol=1e-2, rtol=1e-3)


def test_directions_without_variance_do_not_count() -> None:
    bank, test = rows(10, width=40), rows(5, seed=1, width=40)  # rank 9 of 40
    found = scores(Mahalanobis(), bank, test)
    assert torch.isfinite(found).all()
    train = scores(Mahalanobis(), bank, bank)
    torch.testing.assert_close(train, torch.full((10,), 9.0), atol=1e-2, rtol=0)  # 10 - 1 each
    dead = torch.cat([bank, torch.zeros(10, 1)], dim=1)
    alive = torch.cat([test, torch.zeros(5, 1)], dim=1)
    torch.testing.assert_close(scores(Mahalanobis(), dead, alive), found, atol=1e-2, rtol=1e-3)


def test_a_cluster_of_one_image_is_left_out() -> None:
    bank = torch.cat([rows(20) + 9, torch.tensor([[-30.0, 0, 0, 0, 0]])])
    lonely = bank[-1:]
    assert scores(Mahalanobis(clusters=2), bank, lonely) > 100
    everyone_alone = scores(Mahalanobis(clusters=50), bank, lonely)
    torch.testing.assert_close(everyone_alone, scores(Mahalanobis(), bank, lonely))


def test_few_shot_is_the_distance_to_inliers_less_that_to_known_outliers() -> None:
    bank, known, test = rows(80), rows(12, seed=2) - 2, rows(30, seed=1)
    scorer = FewShotMahalanobis()
    scorer.fit({"features": bank[:, None, None]})
    scorer.expose({"features": known[:, None, None]})
    train, seen = standard(bank, test)
    outliers = standard(bank, known)[1]
    near, far = (LedoitWolf().fit(part).mahalanobis(seen) for part in (train, outliers))
    expected = torch.from_numpy(near - far).float()
    ours = scorer.score({"features": test[:, None, None]})
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-3)
    restored = FewShotMahalanobis()
    restored.restore(scorer.state())
    assert torch.equal(restored.score({"features": test[:, None, None]}), ours)
